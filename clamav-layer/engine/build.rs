//! Compiles the allocator's shim into this executable, and links libclamav.

fn main() {
    println!("cargo:rerun-if-changed=src/shim.c");
    cc::Build::new()
        .file("src/shim.c")
        .flag("-std=gnu11")
        .warnings(true)
        .warnings_into_errors(true)
        .compile("shim");
    println!("cargo:rustc-link-lib=dylib=clamav");
    // Libraries must find these here instead of in libc.
    for symbol in [
        "malloc",
        "calloc",
        "realloc",
        "free",
        "memalign",
        "aligned_alloc",
        "posix_memalign",
        "mmap",
        "mmap64",
        "munmap",
        "getrandom",
    ] {
        println!("cargo:rustc-link-arg-bins=-Wl,--export-dynamic-symbol={symbol}");
        println!("cargo:rustc-link-arg-bins=-Wl,--undefined={symbol}");
    }
}
