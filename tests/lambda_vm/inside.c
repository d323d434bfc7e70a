/* In the machine: `inside limited PROGRAM...` runs a program as Lambda runs a function, `inside scan SOCKET FILE` sends a file to
   an engine and prints the reply, and `inside forward PORT` passes connections to 127.0.0.1:PORT on to the host's. Linked
   statically: the machine has no libraries but the layer's. */
#include <arpa/inet.h>
#include <err.h>
#include <grp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
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

static struct sockaddr_in at(uint32_t host, const char *port) {
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(host), .sin_port = htons(atoi(port))};
}

/* Copies what there is. Returns 0 at the end, which the other side is told. */
static int passed(int from, int to) {
    char bytes[65536];
    ssize_t n_read = read(from, bytes, sizeof bytes);
    if (n_read <= 0) {
        shutdown(to, SHUT_WR);
        return 0;
    }
    for (ssize_t n_sent = 0; n_sent < n_read;) {
        ssize_t n_now = write(to, bytes + n_sent, n_read - n_sent);
        if (n_now <= 0) exit(1);
        n_sent += n_now;
    }
    return 1;
}

static void relay(int near, int far) {
    struct pollfd ends[] = {{near, POLLIN, 0}, {far, POLLIN, 0}};
    while (ends[0].fd >= 0 || ends[1].fd >= 0) {
        if (poll(ends, 2, -1) < 0) exit(1);
        if (ends[0].revents && !passed(near, far)) ends[0].fd = -1;
        if (ends[1].revents && !passed(far, near)) ends[1].fd = -1;
    }
}

static void forward(const char *port) {
    /* The emulator's network has the host there. */
    const struct sockaddr_in here = at(INADDR_LOOPBACK, port), host = at(0x0a000202, port);
    const int yes = 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 64)) err(1, "%s", port);
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int near = accept(listener, NULL, NULL);
        if (near >= 0 && !fork()) {
            int far = socket(AF_INET, SOCK_STREAM, 0);
            if (connect(far, (struct sockaddr *)&host, sizeof host)) err(1, "%s", port);
            setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
            setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
            relay(near, far);
            exit(0);
        }
        close(near);
    }
}

int main(int n_words, char **words) {
    if (n_words > 2 && !strcmp(words[1], "limited")) limited(words + 2);
    if (n_words == 3 && !strcmp(words[1], "forward")) forward(words[2]);
    if (n_words != 4 || strcmp(words[1], "scan")) errx(2, "usage: inside limited PROGRAM... | inside scan SOCKET FILE | inside forward PORT");
    scan(words[2], words[3]);
}
