/* run_image SIZE BASE [COMMAND ...]: the C driver against the bench.

   Reads program.hex and image.bin, writes mask.bin, prints what happened.  Commands are the bench's;
   `wrong-...` are mistakes to make. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fxhw_bench.h"
#include "fxhw_driver.h"

#define POLLS 2000u

static uint8_t image[FXHW_IMAGE_SIZE], mask[FXHW_LOGITS_SIZE];
static uint32_t words[FXHW_PROGRAM_SIZE / 4];
static uint8_t program[FXHW_PROGRAM_SIZE];

static void say(const char *what, fxhw_device *device, fxhw_result result) {
    printf("%s: %s", what, fxhw_result_text(result));
    if (result == FXHW_FAILED)
        printf(", %s, layer %s", fxhw_error_text(device->error), fxhw_layer(device->step));
    printf("\n");
}

static void read_files(void) {
    FILE *file = fopen("program.hex", "r");
    size_t i;
    for (i = 0; i < sizeof words / 4; ++i) {
        unsigned word;
        if (!file || fscanf(file, "%x", &word) != 1) exit(3);
        words[i] = word;
        program[4 * i] = word & 0xff;
        program[4 * i + 1] = word >> 8 & 0xff;
        program[4 * i + 2] = word >> 16 & 0xff;
        program[4 * i + 3] = word >> 24;
    }
    fclose(file);
    file = fopen("image.bin", "rb");
    if (!file || fread(image, 1, sizeof image, file) != sizeof image) exit(3);
    fclose(file);
}

static fxhw_result prepare(fxhw_device *device, uint64_t base) {
#if FXHW_EXTERNAL_MEMORY
    fxhw_range ranges[FXHW_RANGES];
    const uint32_t bytes[FXHW_RANGES] = {FXHW_PROGRAM_SIZE, FXHW_FEATURE_SIZE, FXHW_IMAGE_SIZE,
                                         FXHW_LOGITS_SIZE};
    fxhw_range wrong[FXHW_RANGES];
    unsigned i;
    for (i = 0; i < FXHW_RANGES; ++i) {
        ranges[i].address = base;
        ranges[i].bytes = FXHW_WHOLE_BEATS(bytes[i]);
        base += (ranges[i].bytes + 4095u) / 4096u * 4096u;
    }
    memcpy(wrong, ranges, sizeof wrong);
    wrong[3].address = ranges[2].address + FXHW_BUS_BYTES;
    say("overlap", device, fxhw_place(device, wrong, program, sizeof program));
    wrong[3].address = ranges[3].address + 1;
    say("misaligned", device, fxhw_place(device, wrong, program, sizeof program));
    memcpy(wrong, ranges, sizeof wrong);
    wrong[2].bytes = FXHW_IMAGE_SIZE - 1;
    say("small range", device, fxhw_place(device, wrong, program, sizeof program));
    return fxhw_place(device, ranges, program, sizeof program);
#else
    (void)base;
    return fxhw_load(device, words, sizeof words / 4);
#endif
}

int main(int count, char **arguments) {
    const uint64_t size = strtoull(arguments[1], NULL, 0), base = strtoull(arguments[2], NULL, 0);
    void *bench = fxhw_bench_open(base, size, 1);
    fxhw_device device;
    fxhw_result result;
    uint32_t causes[FXHW_CAUSES], cycles, i;
    size_t mask_size = FXHW_MASK_SIZE;
    FILE *file;
    if (count < 3 || !bench) return 3;
    memset(&device, 0, sizeof device);
    device.registers.context = device.memory.context = device.streams.context = bench;
    device.registers.read32 = fxhw_bench_read32;
    device.registers.write32 = fxhw_bench_write32;
    device.registers.idle = fxhw_bench_idle;
    device.memory.write = fxhw_bench_memory_write;
    device.memory.read = fxhw_bench_memory_read;
    device.streams.send = fxhw_bench_send;
    device.streams.expect = fxhw_bench_expect;
    device.streams.receive = fxhw_bench_receive;
    read_files();
    say("open", &device, fxhw_open(&device));
    say("wait", &device, fxhw_wait(&device, POLLS));
    say("prepare", &device, prepare(&device, base));
    say("wrong size", &device, fxhw_run(&device, image, sizeof image - 1, mask, mask_size, POLLS));
    for (i = 3; i < (uint32_t)count; ++i) {
        if (strcmp(arguments[i], "logits") == 0) {
            device.control = FXHW_CONTROL_LOGITS;
            mask_size = FXHW_LOGITS_SIZE;
        } else if (strcmp(arguments[i], "run") == 0) {
            say("run", &device, fxhw_run(&device, image, sizeof image, mask, mask_size, POLLS));
        } else if (strcmp(arguments[i], "hurry") == 0) {
            say("hurry", &device, fxhw_run(&device, image, sizeof image, mask, mask_size, 0));
            say("again", &device, fxhw_start(&device, mask, mask_size));
            say("end", &device, fxhw_wait(&device, POLLS));
            fxhw_read_mask(&device, mask, mask_size);
        } else if (fxhw_bench_command(bench, arguments[i])) {
            return 3;
        }
    }
    result = fxhw_run(&device, image, sizeof image, mask, mask_size, POLLS);
    say("run", &device, result);
    cycles = fxhw_read_cycles(&device, causes);
    printf("cycles %u", (unsigned)cycles);
    for (i = 0; i < FXHW_CAUSES; ++i) printf(" %u", (unsigned)causes[i]);
    printf("\n%s, %s, %s\n", fxhw_error_text(99), fxhw_cause_text(0), fxhw_layer(99));
    fxhw_bench_command(bench, "problems");
    file = fopen("mask.bin", "wb");
    if (!file || fwrite(mask, 1, mask_size, file) != mask_size) return 3;
    fclose(file);
    fxhw_bench_close(bench);
    return result == FXHW_OK ? 0 : 1;
}
