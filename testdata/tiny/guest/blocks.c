// blocks writes numbered blocks to a file or device and checks that none is missing: the proof that a copied,
// relocated, restored or crashed disk holds every write that was acknowledged.
//
//	blocks write [-o OFFSET] [-s SIZE] PATH [RATE [COUNT]]	RATE blocks a second (20; 0: as fast as it goes), COUNT in all (0: for ever)
//	blocks check [-o OFFSET] [-s SIZE] PATH [LEAST]		exit 0 if whole and LEAST was written, else 1
//
// The area is the SIZE bytes at OFFSET of PATH (default: all of it), in blocks of 512 bytes. Counter n (from 0) lies
// in block n modulo the number of blocks. Each block, little-endian:
//
//	 0  8  "DCBLOCK1"
//	 8  8  counter
//	16  8  real time, nanoseconds since 1970
//	24  8  time since the guest's start, nanoseconds (CLOCK_BOOTTIME)
//	32  8  number drawn when this writer began: tells two writers apart
//	40  468  bytes made from the counter, so that a torn block shows
//	508 4  CRC-32 (IEEE 802.3) of bytes 0 to 507
//
// A write is acknowledged when the disk says that it is stable (O_DIRECT and O_DSYNC). The writer goes on behind
// the last whole block it finds, so a restarted guest continues the count.
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 512, BATCH = 2048 };
static const char magic[8] = "DCBLOCK1";

static void put(uint8_t *p, uint64_t v) { for (int i = 0; i < 8; i++) p[i] = v >> (8 * i); }
static uint64_t get(const uint8_t *p) { uint64_t v = 0; for (int i = 7; i >= 0; i--) v = v << 8 | p[i]; return v; }

static uint32_t crc(const uint8_t *p, size_t n) {
	uint32_t c = ~0u;
	while (n--) {
		c ^= *p++;
		for (int i = 0; i < 8; i++) c = c >> 1 ^ (0xEDB88320u & -(c & 1));
	}
	return ~c;
}

static uint64_t now(clockid_t clock) {
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void make(uint8_t *b, uint64_t n, uint64_t writer) {
	memcpy(b, magic, 8);
	put(b + 8, n), put(b + 16, now(CLOCK_REALTIME)), put(b + 24, now(CLOCK_BOOTTIME)), put(b + 32, writer);
	for (int i = 40; i < 508; i++) b[i] = n * 31 + i;
	uint32_t c = crc(b, 508);
	for (int i = 0; i < 4; i++) b[508 + i] = c >> (8 * i);
}

// whole tells whether the block is one that make has made.
static int whole(const uint8_t *b) {
	uint32_t c = b[508] | b[509] << 8 | b[510] << 16 | (uint32_t)b[511] << 24;
	return !memcmp(b, magic, 8) && crc(b, 508) == c;
}

static void fail(const char *what) {
	fprintf(stderr, "blocks: %s: %s\n", what, strerror(errno));
	exit(1);
}

struct area { int fd; off_t at; uint64_t blocks; uint8_t *buf; };
struct found { uint64_t first, last, whole, torn, empty, misplaced, writers, gap; int any; };

// scan reads the area once. first and last are the least and greatest counters, gap the longest time in nanoseconds
// between a block and the next one.
static struct found scan(struct area *a) {
	struct found f = {0};
	uint64_t before = 0, when = 0, writer = 0;
	for (uint64_t i = 0; i < a->blocks;) {
		uint64_t want = a->blocks - i < BATCH ? a->blocks - i : BATCH;
		ssize_t n = pread(a->fd, a->buf, want * BLOCK, a->at + i * BLOCK);
		if (n < BLOCK) fail("read");
		for (ssize_t k = 0; k < n / BLOCK; k++, i++) {
			uint8_t *b = a->buf + k * BLOCK;
			if (!whole(b)) {
				int zero = 1;
				for (int j = 0; j < BLOCK && zero; j++) zero = !b[j];
				zero ? f.empty++ : f.torn++;
				continue;
			}
			uint64_t c = get(b + 8), t = get(b + 16);
			if (c % a->blocks != i) { f.misplaced++; continue; }
			if (f.any && c == before + 1 && t > when && t - when > f.gap) f.gap = t - when;
			if (!f.any || get(b + 32) != writer) f.writers++, writer = get(b + 32);
			if (!f.any || c < f.first) f.first = c;
			if (!f.any || c > f.last) f.last = c;
			before = c, when = t, f.any = 1, f.whole++;
		}
	}
	return f;
}

static int check(struct area *a, uint64_t least) {
	struct found f = scan(a);
	// Either all counters from 0 on, or, once the area was filled, the newest ones. The one being overwritten when
	// the machine died may be torn: it was not acknowledged, but it must be where the next counter belongs.
	uint64_t lost = f.any ? f.last - f.first + 1 - f.whole : 0;
	int front = !f.any || f.first == 0 || f.last - f.first + 1 >= a->blocks - f.torn;
	int good = f.any && !lost && !f.misplaced && f.torn <= 1 && front && f.last + 1 >= least;
	printf("blocks %s first=%" PRIu64 " last=%" PRIu64 " whole=%" PRIu64 " lost=%" PRIu64 " torn=%" PRIu64 " misplaced=%" PRIu64
	       " writers=%" PRIu64 " longest-gap-ms=%" PRIu64 "\n",
	       good ? "whole" : "BROKEN", f.first, f.last, f.whole, lost, f.torn, f.misplaced, f.writers, f.gap / 1000000);
	return !good;
}

static int write_all(struct area *a, double rate, uint64_t count) {
	struct found f = scan(a);
	uint64_t n = f.any ? f.last + 1 : 0, writer, start = now(CLOCK_MONOTONIC);
	if (getrandom(&writer, sizeof writer, 0) != sizeof writer) fail("random number");
	printf("blocks begins at=%" PRIu64 " of=%" PRIu64 "\n", n, a->blocks);
	fflush(stdout);
	for (uint64_t done = 0; !count || done < count; done++, n++) {
		make(a->buf, n, writer);
		if (pwrite(a->fd, a->buf, BLOCK, a->at + (n % a->blocks) * BLOCK) != BLOCK) fail("write");
		if (rate <= 0) continue;
		uint64_t due = start + (done + 1) * 1e9 / rate;
		struct timespec t = {due / 1000000000, due % 1000000000};
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0) == EINTR) {}
	}
	printf("blocks wrote last=%" PRIu64 "\n", n - 1);
	return 0;
}

static int usage(void) {
	fprintf(stderr, "use: blocks write [-o OFFSET] [-s SIZE] PATH [RATE [COUNT]]\n     blocks check [-o OFFSET] [-s SIZE] PATH [LEAST]\n");
	return 2;
}

int main(int argc, char **argv) {
	struct area a = {0};
	off_t size = 0;
	if (argc < 2) return usage();
	int writing = !strcmp(argv[1], "write");
	if (!writing && strcmp(argv[1], "check")) return usage();
	for (int o; (o = getopt(argc - 1, argv + 1, "o:s:")) != -1;) {
		if (o == 'o') a.at = strtoll(optarg, 0, 0);
		else if (o == 's') size = strtoll(optarg, 0, 0);
		else return usage();
	}
	char **rest = argv + 1 + optind;
	int left = argc - 1 - optind;
	if (left < 1 || left > (writing ? 3 : 2) || a.at % BLOCK) return usage();
	int flags = writing ? O_RDWR | O_DSYNC : O_RDONLY;
	a.fd = open(rest[0], flags | O_DIRECT);
	if (a.fd < 0 && errno == EINVAL) a.fd = open(rest[0], flags); // a file system without O_DIRECT
	if (a.fd < 0) fail(rest[0]);
	off_t end = lseek(a.fd, 0, SEEK_END);
	if (!size) size = end - a.at;
	if (size < BLOCK || a.at + size > end) { errno = ENOSPC; fail("area"); }
	a.blocks = size / BLOCK;
	if (posix_memalign((void **)&a.buf, 4096, BATCH * BLOCK)) fail("memory");
	if (!writing) return check(&a, left > 1 ? strtoull(rest[1], 0, 0) : 0);
	return write_all(&a, left > 1 ? atof(rest[1]) : 20, left > 2 ? strtoull(rest[2], 0, 0) : 0);
}
