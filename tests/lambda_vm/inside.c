/* In the machine: `inside limited PROGRAM...` runs a program as Lambda runs a function, and `inside scan SOCKET FILE` sends a
   file to an engine and prints the reply. Linked statically: the machine has no libraries but the layer's. */
#include <arpa/inet.h>
#include <err.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* An emulated processor on a busy machine: ten minutes for the engine's socket. */
enum { TRIES = 6000, PAUSE_MICROSECONDS = 100000 };

static void limited(char **words) {
    const struct rlimit most = {1024, 1024};
    if (setrlimit(RLIMIT_NOFILE, &most) || setrlimit(RLIMIT_NPROC, &most)) err(1, "setrlimit");
    if (setgroups(0, NULL) || setgid(990) || setuid(993)) err(1, "setuid");
    execv(words[0], words);
    err(1, "%s", words[0]);
}

static int connected(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) errx(1, "the socket's path is too long");
    strcpy(address.sun_path, path);
    for (int try = 0; try < TRIES; try++) {
        int engine = socket(AF_UNIX, SOCK_STREAM, 0);
        if (!connect(engine, (struct sockaddr *)&address, sizeof address)) return engine;
        close(engine);
        usleep(PAUSE_MICROSECONDS);
    }
    errx(1, "the engine does not listen at %s", path);
}

static void put(int engine, const void *bytes, size_t n_bytes) {
    if (write(engine, bytes, n_bytes) != (ssize_t)n_bytes) err(1, "write");
}

/* clamd's INSTREAM: chunks, each after its length, and an empty one at the end. */
static void scan(const char *path, const char *file) {
    char bytes[65536], reply[4096];
    size_t n_bytes, n_reply = 0;
    ssize_t n_read;
    int engine = connected(path);
    FILE *source = fopen(file, "r");
    if (!source) err(1, "%s", file);
    put(engine, "zINSTREAM", sizeof "zINSTREAM");
    while ((n_bytes = fread(bytes, 1, sizeof bytes, source)) > 0) {
        uint32_t length = htonl(n_bytes);
        put(engine, &length, sizeof length);
        put(engine, bytes, n_bytes);
    }
    put(engine, "\0\0\0", 4);
    while ((n_read = read(engine, reply + n_reply, sizeof reply - 1 - n_reply)) > 0) n_reply += n_read;
    reply[n_reply] = 0;
    puts(reply);
}

int main(int n_words, char **words) {
    if (n_words > 2 && !strcmp(words[1], "limited")) limited(words + 2);
    if (n_words != 4 || strcmp(words[1], "scan")) errx(2, "usage: inside limited PROGRAM... | inside scan SOCKET FILE");
    scan(words[2], words[3]);
}
