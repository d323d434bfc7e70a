/*
 * Where does the engine's memory come from? While definitions are loaded on one thread, from an arena at a fixed address, so that it can be
 * written to a file and be there again in another process. SPDX-License-Identifier: GPL-2.0-only
 *
 * These functions take libc's place for the whole process, libclamav and its libraries included, because the executable defines them. Outside of
 * loading they are libc's own; only freeing what is in the arena is nothing, for ever.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

/* 32 TiB: far from where Linux puts programs (0x55..., 0x7f...) on x86_64 and within 47 bits; within arm64's 48 as well. */
#define BASE ((char *)0x200000000000ULL)
#define SIZE (8ULL << 30)
#define PAGE 4096ULL
/* In front of each block: how many bytes it can hold. Sixteen, so that blocks are aligned as malloc promises. */
#define HEADER 16ULL
#define SMALL 4096ULL

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static __thread int is_loading;
/*
 * Pages that are mapped go downwards from the middle, as the kernel's do, and everything else goes upwards from there. Where two signatures match at
 * the same place, ClamAV reports the one whose pattern has the lower address (matcher-ac.c): it is to be the same one as in clamd.
 */
#define MIDDLE (BASE + SIZE / 2)
static char *bottom, *top;
/* Freed small blocks by size; each begins with the next one's address. */
static char *free_blocks[SMALL / 16 + 1];

static int in_arena(const void *address) { return (char *)address >= BASE && (char *)address < BASE + SIZE; }

static size_t capacity_of(const void *block) { return *(const size_t *)((const char *)block - HEADER); }

static size_t rounded(size_t size) { return size == 0 ? 16 : (size + 15) & ~15ULL; }

static void *allocate(size_t size, size_t alignment) {
    if (size > SIZE / 2) return NULL;
    size_t capacity = rounded(size);
    if (alignment <= 16 && capacity <= SMALL && free_blocks[capacity / 16]) {
        char *block = free_blocks[capacity / 16];
        free_blocks[capacity / 16] = *(char **)block;
        *(char **)block = NULL;
        return block;
    }
    char *block = top + HEADER;
    if (alignment > 16) block = (char *)(((uintptr_t)block + alignment - 1) & ~(alignment - 1));
    if (block + capacity > BASE + SIZE) return NULL;
    *(size_t *)(block - HEADER) = capacity;
    top = block + capacity;
    return block;
}

/* Zeroes what is given back: it compresses to nothing, and two snapshots are the same. */
static void give_back(void *block) {
    size_t capacity = capacity_of(block);
    memset(block, 0, capacity);
    if ((char *)block + capacity == top) {
        top = (char *)block - HEADER;
        *(size_t *)top = 0;
    } else if (capacity <= SMALL) {
        *(char **)block = free_blocks[capacity / 16];
        free_blocks[capacity / 16] = block;
    }
}

void *malloc(size_t size) { return is_loading ? allocate(size, 16) : __libc_malloc(size); }

void free(void *block) {
    if (block == NULL) return;
    if (!in_arena(block)) __libc_free(block);
    else if (is_loading) give_back(block);
}

void *calloc(size_t count, size_t size) {
    if (!is_loading) return __libc_calloc(count, size);
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return NULL;
    void *block = allocate(total, 16);
    return block ? memset(block, 0, total) : NULL;
}

void *realloc(void *block, size_t size) {
    if (block == NULL) return malloc(size);
    if (!in_arena(block)) return __libc_realloc(block, size);
    size_t capacity = capacity_of(block);
    if (size != 0 && size <= capacity) return block;
    if (is_loading && (char *)block + capacity == top && size < SIZE / 2 && (char *)block + rounded(size) <= BASE + SIZE) {
        *(size_t *)((char *)block - HEADER) = rounded(size);
        top = (char *)block + rounded(size);
        return block;
    }
    void *moved = malloc(size);
    if (moved == NULL) return NULL;
    memcpy(moved, block, capacity < size ? capacity : size);
    free(block);
    return moved;
}

void *memalign(size_t alignment, size_t size) {
    return is_loading ? allocate(size, alignment) : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **block, size_t alignment, size_t size) {
    void *allocated = memalign(alignment, size);
    if (allocated == NULL) return ENOMEM;
    *block = allocated;
    return 0;
}

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset) {
    int is_plain = file == -1 && (flags & MAP_ANONYMOUS) && address == NULL && !(protection & PROT_EXEC);
    if (!is_loading || !is_plain) return (void *)syscall(SYS_mmap, address, size, protection, flags, file, offset);
    size_t length = (size + PAGE - 1) & ~(PAGE - 1);
    if (length < size || length > (size_t)(bottom - BASE)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return bottom -= length;
}

void *mmap64(void *address, size_t size, int protection, int flags, int file, off_t offset) {
    return mmap(address, size, protection, flags, file, offset);
}

int munmap(void *address, size_t size) {
    if (!in_arena(address)) return (int)syscall(SYS_munmap, address, size);
    if (is_loading) memset(address, 0, size);
    return 0;
}

/* Seeds of hash tables that end up in a snapshot: constant, because no hostile input reaches these tables; a parser's own tables are made later. */
ssize_t getrandom(void *buffer, size_t size, unsigned int flags) {
    if (!is_loading) return syscall(SYS_getrandom, buffer, size, flags);
    memset(buffer, 0x5a, size);
    return (ssize_t)size;
}

/* Memory that this thread allocates comes from the arena from now on. 0, or an errno. */
int airlock_arena_begin(void) {
    void *got = (void *)syscall(SYS_mmap, BASE, SIZE, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (got == MAP_FAILED) return errno;
    if (got != BASE) return EEXIST;
    bottom = top = MIDDLE;
    is_loading = 1;
    return 0;
}

/* Memory comes from libc again. Where what is in use begins, and how many bytes it has. */
size_t airlock_arena_end(char **start) {
    is_loading = 0;
    /* Lists of free blocks are of no use any more, and their links would only look like pointers. */
    for (size_t n = 0; n <= SMALL / 16; n++) {
        for (char *block = free_blocks[n]; block;) {
            char *next = *(char **)block;
            *(char **)block = NULL;
            block = next;
        }
        free_blocks[n] = NULL;
    }
    *start = bottom;
    return (size_t)(top - bottom);
}

/* The numbers that clamav.rs and conf.rs use. */
#include <clamav.h>
_Static_assert(CL_ENGINE_MAX_SCANSIZE == 0 && CL_ENGINE_MAX_FILESIZE == 1 && CL_ENGINE_MAX_RECURSION == 2 && CL_ENGINE_MAX_FILES == 3, "");
_Static_assert(CL_ENGINE_TMPDIR == 13 && CL_ENGINE_MAX_EMBEDDEDPE == 18 && CL_ENGINE_MAX_HTMLNORMALIZE == 19, "");
_Static_assert(CL_ENGINE_MAX_HTMLNOTAGS == 20 && CL_ENGINE_MAX_SCRIPTNORMALIZE == 21 && CL_ENGINE_MAX_ZIPTYPERCG == 22, "");
_Static_assert(CL_ENGINE_DISABLE_CACHE == 25 && CL_ENGINE_MAX_SCANTIME == 31 && CL_ENGINE_PCRE_MAX_FILESIZE == 34, "");
_Static_assert(CL_CLEAN == 0 && CL_VIRUS == 1 && CL_INIT_DEFAULT == 0, "");
_Static_assert(sizeof(struct cl_scan_options) == 20, "");
