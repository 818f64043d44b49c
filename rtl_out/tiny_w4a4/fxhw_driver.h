/* Driver of an fxhw accelerator in C99: no allocation, no library beyond <stddef.h> and <stdint.h>.

   The steps: fxhw_open, fxhw_load or fxhw_place, then per image fxhw_run; or, one by one,
   fxhw_write_image, fxhw_start, fxhw_wait, fxhw_read_mask.  fxhw_registers.h, generated with the
   accelerator, has the registers and the sizes of its network. */
#ifndef FXHW_DRIVER_H
#define FXHW_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#include "fxhw_registers.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum fxhw_result {
    FXHW_OK = 0,
    FXHW_NO_DEVICE,     /* ID is wrong */
    FXHW_WRONG_VERSION, /* of the register map */
    FXHW_WRONG_DESIGN,  /* another bitstream than the header's */
    FXHW_WRONG_SIZE,    /* of image, mask or program */
    FXHW_MISALIGNED,    /* a range's address */
    FXHW_OVERLAP,       /* two ranges */
    FXHW_BUSY,          /* a run is under way */
    FXHW_TIMEOUT,       /* the run goes on; see status and fxhw_read_cycles */
    FXHW_FAILED,        /* see error, step, fxhw_error_text, fxhw_layer */
    FXHW_NOT_STARTED,   /* nothing has ended */
    FXHW_STREAM_FAILED  /* receive said so */
} fxhw_result;

/* Way to the registers; `idle`, called between two polls of STATUS, may be NULL. */
typedef struct fxhw_registers {
    void *context;
    uint32_t (*read32)(void *context, uint32_t offset);
    void (*write32)(void *context, uint32_t offset, uint32_t value);
    void (*idle)(void *context);
} fxhw_registers;

/* External memory by physical address; `write` must end where the hardware sees the bytes, and
   `read` must see what the hardware has written (flush and invalidate caches there). */
typedef struct fxhw_memory {
    void *context;
    void (*write)(void *context, uint64_t address, const void *data, size_t count);
    void (*read)(void *context, uint64_t address, void *data, size_t count);
} fxhw_memory;

/* A DMA's channels, for the version with on-chip memory.  `send` and `expect` begin a transfer and
   return at once; `receive` waits until all expected bytes are in `data` and returns 0. */
typedef struct fxhw_streams {
    void *context;
    void (*send)(void *context, const void *data, size_t count);
    void (*expect)(void *context, void *data, size_t count);
    int (*receive)(void *context);
} fxhw_streams;

/* Where a range of external memory begins, and its bytes; indices are FXHW_RANGE_*. */
typedef struct fxhw_range {
    uint64_t address;
    uint32_t bytes;
} fxhw_range;

#if FXHW_EXTERNAL_MEMORY
/* `bytes` rounded up to whole beats of the bus, which is what a range must have. */
#define FXHW_WHOLE_BEATS(bytes) (((bytes) + FXHW_BUS_BYTES - 1u) / FXHW_BUS_BYTES * FXHW_BUS_BYTES)
#endif

typedef struct fxhw_device {
    fxhw_registers registers;
    fxhw_memory memory;   /* external memory only */
    fxhw_streams streams; /* on-chip memory only */
    fxhw_range ranges[FXHW_RANGES];
    uint32_t control; /* of the next start: FXHW_CONTROL_LOGITS, FXHW_CONTROL_IRQ_ENABLE or 0 */
    uint32_t status;  /* STATUS as last read */
    uint32_t error;   /* code of the last failure */
    uint32_t step;    /* its step */
} fxhw_device;

/* Registers at `base`, as a pointer. */
fxhw_registers fxhw_mapped(volatile void *base);

/* Checks ID, VERSION and DESIGN.  The device's `registers` must be set, the rest zero, then
   `memory` or `streams`. */
fxhw_result fxhw_open(fxhw_device *device);

/* On-chip memory: loads a program, the 32-bit words of program.hex.  A freshly configured FPGA has
   its own already. */
fxhw_result fxhw_load(fxhw_device *device, const uint32_t *words, size_t count);

/* External memory: writes the program's `count` bytes (program.hex, words little-endian) to its
   range and tells the hardware all ranges, after checking them as the hardware does. */
fxhw_result fxhw_place(fxhw_device *device, const fxhw_range ranges[FXHW_RANGES],
                       const void *program, size_t count);

/* An image of FXHW_IMAGE_SIZE to memory, or to the stream. */
fxhw_result fxhw_write_image(fxhw_device *device, const void *image, size_t count);

/* Starts a run.  On-chip memory: its mask will go to `mask`; else both are ignored. */
fxhw_result fxhw_start(fxhw_device *device, void *mask, size_t count);

/* Polls STATUS at most `polls` times. */
fxhw_result fxhw_wait(fxhw_device *device, uint32_t polls);

/* The mask of the run that has ended: a byte per pixel, 0 or 255, FXHW_MASK_SIZE in all, or the
   logits, FXHW_LOGITS_SIZE.  On-chip memory: into the buffer fxhw_start was given. */
fxhw_result fxhw_read_mask(fxhw_device *device, void *mask, size_t count);

/* The four steps above. */
fxhw_result fxhw_run(fxhw_device *device, const void *image, size_t image_count, void *mask,
                     size_t mask_count, uint32_t polls);

/* Ends whatever runs; on-chip memory: reset the DMA too. */
void fxhw_abort(fxhw_device *device);

/* Cycles of the last run: in all, and by cause (FXHW_CAUSE_*). */
uint32_t fxhw_read_cycles(fxhw_device *device, uint32_t causes[FXHW_CAUSES]);

/* Sentences, for messages; never NULL. */
const char *fxhw_result_text(fxhw_result result);
const char *fxhw_error_text(uint32_t error);
const char *fxhw_cause_text(uint32_t cause);
const char *fxhw_layer(uint32_t step);

#ifdef __cplusplus
}
#endif

#endif
