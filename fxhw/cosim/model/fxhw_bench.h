/* The bench for C programs: callbacks with the signatures that fxhw_driver.h asks for. */
#ifndef FXHW_BENCH_H
#define FXHW_BENCH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Opens the bench with `size` bytes of memory at `base`; the files of the generated folder must lie
   in the working directory.  NULL if there is not enough memory. */
void *fxhw_bench_open(uint64_t base, uint64_t size, uint64_t seed);
void fxhw_bench_close(void *bench);

uint32_t fxhw_bench_read32(void *bench, uint32_t offset);
void fxhw_bench_write32(void *bench, uint32_t offset, uint32_t value);
void fxhw_bench_idle(void *bench);

void fxhw_bench_memory_write(void *bench, uint64_t address, const void *data, size_t count);
void fxhw_bench_memory_read(void *bench, uint64_t address, void *data, size_t count);

void fxhw_bench_send(void *bench, const void *data, size_t count);
void fxhw_bench_expect(void *bench, void *data, size_t count);
int fxhw_bench_receive(void *bench);
void fxhw_bench_drop(void *bench);

/* Any command of the protocol without data (see serve.cpp), as "set read_latency 40"; prints what
   it answers.  0 if it is one. */
int fxhw_bench_command(void *bench, const char *line);

#ifdef __cplusplus
}
#endif

#endif
