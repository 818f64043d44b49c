#include "fxhw_driver.h"

static uint32_t get(fxhw_device *device, uint32_t offset) {
    return device->registers.read32(device->registers.context, offset);
}

static void put(fxhw_device *device, uint32_t offset, uint32_t value) {
    device->registers.write32(device->registers.context, offset, value);
}

static uint32_t mapped_read(void *context, uint32_t offset) {
    return *(volatile uint32_t *)((volatile char *)context + offset);
}

static void mapped_write(void *context, uint32_t offset, uint32_t value) {
    *(volatile uint32_t *)((volatile char *)context + offset) = value;
}

fxhw_registers fxhw_mapped(volatile void *base) {
    fxhw_registers registers;
    registers.context = (void *)base;
    registers.read32 = mapped_read;
    registers.write32 = mapped_write;
    registers.idle = NULL;
    return registers;
}

fxhw_result fxhw_open(fxhw_device *device) {
    if (get(device, FXHW_ID) != FXHW_IDENTITY) return FXHW_NO_DEVICE;
    if (get(device, FXHW_VERSION) >> 16 != FXHW_MAP_VERSION >> 16) return FXHW_WRONG_VERSION;
    if (get(device, FXHW_DESIGN) != FXHW_DESIGN_HASH) return FXHW_WRONG_DESIGN;
    return FXHW_OK;
}

static fxhw_result check_error(fxhw_device *device) {
    const uint32_t value = get(device, FXHW_ERROR);
    device->error = value & 0xff;
    device->step = value >> 16;
    return device->error ? FXHW_FAILED : FXHW_OK;
}

#if FXHW_EXTERNAL_MEMORY

fxhw_result fxhw_load(fxhw_device *device, const uint32_t *words, size_t count) {
    (void)device, (void)words, (void)count;
    return FXHW_WRONG_DESIGN;
}

static fxhw_result check_ranges(const fxhw_range *ranges, size_t program_count) {
    const uint64_t needed[FXHW_RANGES] = {program_count, FXHW_FEATURE_SIZE, FXHW_IMAGE_SIZE,
                                          FXHW_MASK_SIZE};
    unsigned i, j;
    for (i = 0; i < FXHW_RANGES; ++i) {
        if (ranges[i].address % FXHW_BUS_BYTES) return FXHW_MISALIGNED;
        if (ranges[i].bytes < needed[i]) return FXHW_WRONG_SIZE;
        for (j = 0; j < i; ++j)
            if (ranges[i].address < ranges[j].address + ranges[j].bytes &&
                ranges[j].address < ranges[i].address + ranges[i].bytes)
                return FXHW_OVERLAP;
    }
    return FXHW_OK;
}

fxhw_result fxhw_place(fxhw_device *device, const fxhw_range ranges[FXHW_RANGES],
                       const void *program, size_t count) {
    const fxhw_result result = check_ranges(ranges, count);
    unsigned i;
    if (result != FXHW_OK) return result;
    if (get(device, FXHW_STATUS) & FXHW_STATUS_BUSY) return FXHW_BUSY;
    for (i = 0; i < FXHW_RANGES; ++i) {
        const uint32_t base = FXHW_PROGRAM_BASE_LOW + 12 * i;
        device->ranges[i] = ranges[i];
        put(device, base, (uint32_t)(ranges[i].address & 0xffffffffu));
        put(device, base + 4, (uint32_t)(ranges[i].address >> 32));
        put(device, base + 8, ranges[i].bytes);
    }
    put(device, FXHW_PROGRAM, 0);
    device->memory.write(device->memory.context, ranges[FXHW_RANGE_PROGRAM].address, program,
                         count);
    return FXHW_OK;
}

fxhw_result fxhw_write_image(fxhw_device *device, const void *image, size_t count) {
    if (count != FXHW_IMAGE_SIZE) return FXHW_WRONG_SIZE;
    device->memory.write(device->memory.context, device->ranges[FXHW_RANGE_IMAGE].address, image,
                         count);
    return FXHW_OK;
}

#else

fxhw_result fxhw_load(fxhw_device *device, const uint32_t *words, size_t count) {
    size_t i;
    if (get(device, FXHW_STATUS) & FXHW_STATUS_BUSY) return FXHW_BUSY;
    put(device, FXHW_ERROR, 0);
    put(device, FXHW_LOAD_ADDRESS, 0);
    for (i = 0; i < count; ++i) put(device, FXHW_LOAD_DATA, words[i]);
    put(device, FXHW_PROGRAM, 0);
    return check_error(device);
}

fxhw_result fxhw_place(fxhw_device *device, const fxhw_range ranges[FXHW_RANGES],
                       const void *program, size_t count) {
    (void)device, (void)ranges, (void)program, (void)count;
    return FXHW_WRONG_DESIGN;
}

fxhw_result fxhw_write_image(fxhw_device *device, const void *image, size_t count) {
    if (count != FXHW_IMAGE_SIZE) return FXHW_WRONG_SIZE;
    device->streams.send(device->streams.context, image, count);
    return FXHW_OK;
}

#endif

static size_t mask_bytes(const fxhw_device *device) {
    return device->control & FXHW_CONTROL_LOGITS ? FXHW_LOGITS_SIZE : FXHW_MASK_SIZE;
}

fxhw_result fxhw_start(fxhw_device *device, void *mask, size_t count) {
    if (get(device, FXHW_STATUS) & FXHW_STATUS_BUSY) return FXHW_BUSY;
#if FXHW_EXTERNAL_MEMORY
    (void)mask, (void)count;
    if (device->ranges[FXHW_RANGE_MASK].bytes < mask_bytes(device)) return FXHW_WRONG_SIZE;
#else
    if (count != mask_bytes(device)) return FXHW_WRONG_SIZE;
    device->streams.expect(device->streams.context, mask, count);
#endif
    put(device, FXHW_CONTROL, device->control | FXHW_CONTROL_START);
    return FXHW_OK;
}

fxhw_result fxhw_wait(fxhw_device *device, uint32_t polls) {
    fxhw_result result;
    while ((device->status = get(device, FXHW_STATUS)) & FXHW_STATUS_BUSY) {
        if (polls-- == 0) return FXHW_TIMEOUT;
        if (device->registers.idle) device->registers.idle(device->registers.context);
    }
    result = check_error(device);
    if (result != FXHW_OK) return result;
    return device->status & FXHW_STATUS_DONE ? FXHW_OK : FXHW_NOT_STARTED;
}

fxhw_result fxhw_read_mask(fxhw_device *device, void *mask, size_t count) {
    if (count != mask_bytes(device)) return FXHW_WRONG_SIZE;
#if FXHW_EXTERNAL_MEMORY
    device->memory.read(device->memory.context, device->ranges[FXHW_RANGE_MASK].address, mask,
                        count);
    return FXHW_OK;
#else
    (void)mask;
    return device->streams.receive(device->streams.context) ? FXHW_STREAM_FAILED : FXHW_OK;
#endif
}

fxhw_result fxhw_run(fxhw_device *device, const void *image, size_t image_count, void *mask,
                     size_t mask_count, uint32_t polls) {
    fxhw_result result = FXHW_OK;
    if (mask_count != mask_bytes(device)) return FXHW_WRONG_SIZE;
    if (get(device, FXHW_STATUS) & FXHW_STATUS_BUSY) return FXHW_BUSY;
    result = fxhw_write_image(device, image, image_count);
    if (result == FXHW_OK) result = fxhw_start(device, mask, mask_count);
    if (result == FXHW_OK) result = fxhw_wait(device, polls);
    if (result == FXHW_OK) result = fxhw_read_mask(device, mask, mask_count);
    return result;
}

void fxhw_abort(fxhw_device *device) { put(device, FXHW_CONTROL, FXHW_CONTROL_ABORT); }

uint32_t fxhw_read_cycles(fxhw_device *device, uint32_t causes[FXHW_CAUSES]) {
    unsigned i;
    for (i = 0; i < FXHW_CAUSES; ++i) causes[i] = get(device, FXHW_CYCLES + 4 + 4 * i);
    return get(device, FXHW_CYCLES);
}

const char *fxhw_result_text(fxhw_result result) {
    switch (result) {
        case FXHW_OK: return "done";
        case FXHW_NO_DEVICE: return "ID is wrong: there is no accelerator, or it has no clock";
        case FXHW_WRONG_VERSION: return "the register map has another version than this driver";
        case FXHW_WRONG_DESIGN: return "the hardware is another design than fxhw_registers.h";
        case FXHW_WRONG_SIZE: return "image, mask, program or a range has a wrong size";
        case FXHW_MISALIGNED: return "a range is not aligned to the bus";
        case FXHW_OVERLAP: return "two ranges overlap";
        case FXHW_BUSY: return "a run is under way";
        case FXHW_TIMEOUT: return "the run has not ended in time";
        case FXHW_FAILED: return "the run ended with an error";
        case FXHW_NOT_STARTED: return "no run has ended";
        case FXHW_STREAM_FAILED: return "the mask did not come";
    }
    return "unknown result";
}

static const char *const error_texts[] = FXHW_ERROR_TEXTS;
static const char *const cause_texts[] = FXHW_CAUSE_TEXTS;
static const char *const layers[] = FXHW_LAYERS;

#define TEXT(table, index) \
    ((index) < sizeof(table) / sizeof((table)[0]) ? (table)[index] : "unknown")

const char *fxhw_error_text(uint32_t error) { return TEXT(error_texts, error); }

const char *fxhw_cause_text(uint32_t cause) { return TEXT(cause_texts, cause); }

const char *fxhw_layer(uint32_t step) { return TEXT(layers, step); }
