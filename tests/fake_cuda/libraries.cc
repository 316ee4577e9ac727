// What stands in for the CUDA driver and NVRTC where there is no device, so that the program can be tested with
// --device cuda: memory is the host's, kernels run there. FAKE_CUDA tells what is wrong with it: "old", "no device",
// "no memory", "fails".

#include <mutex>
#include <stdlib.h>
#include <string.h>

#include "../../src/backend/cuda/kernels/host.cc"

static bool fault(const char* name) {
    const char* faults = getenv("FAKE_CUDA");
    return faults && strcmp(faults, name) == 0;
}

typedef unsigned long long Pointer;
enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, LAUNCH_FAILED = 719 };

static std::mutex running;

extern "C" {

int cuDriverGetVersion(int* version) { return *version = fault("old") ? 11040 : 13000, SUCCESS; }
int cuInit(unsigned) { return fault("no device") ? NO_DEVICE : SUCCESS; }
int cuDeviceGetCount(int* n) { return *n = 1, SUCCESS; }
int cuDeviceGet(int* device, int) { return *device = 0, SUCCESS; }
int cuDeviceGetName(char* name, int n, int) { return strncpy(name, "Stand-in", n), SUCCESS; }
int cuDeviceTotalMem_v2(size_t* n, int) { return *n = 1 << 30, SUCCESS; }
int cuDeviceGetAttribute(int* value, int attribute, int) {
    switch (attribute) {
    case 16: return *value = 4, SUCCESS;        // multiprocessors
    case 75: return *value = 9, SUCCESS;        // compute capability
    case 76: return *value = 0, SUCCESS;
    case 97: return *value = 101376, SUCCESS;   // shared memory of a block
    case 115: return *value = 1, SUCCESS;       // memory pools
    default: return INVALID_VALUE;
    }
}
int cuDevicePrimaryCtxRetain(void** context, int) { return *context = (void*)1, SUCCESS; }
int cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
int cuCtxSetCurrent(void*) { return SUCCESS; }
int cuCtxSetFlags(unsigned) { return SUCCESS; }
int cuDeviceGetDefaultMemPool(void** pool, int) { return *pool = (void*)1, SUCCESS; }
int cuMemPoolSetAttribute(void*, int, void*) { return SUCCESS; }
int cuModuleLoadData(void** module, const void* code) {
    if (strcmp((const char*)code, "code of sm_90") != 0) return INVALID_VALUE;
    return *module = (void*)1, SUCCESS;
}
int cuModuleUnload(void*) { return SUCCESS; }
int cuModuleGetFunction(void** function, void*, const char* name) { return *function = strdup(name), SUCCESS; }
int cuFuncSetAttribute(void*, int, int bytes) { return bytes > 0 && bytes <= 101376 ? SUCCESS : INVALID_VALUE; }
int cuStreamCreate(void** stream, unsigned) { return *stream = (void*)1, SUCCESS; }
int cuStreamDestroy_v2(void*) { return SUCCESS; }
int cuStreamSynchronize(void*) { return SUCCESS; }
int cuMemAllocAsync(Pointer* at, size_t n, void*) {
    if (fault("no memory")) return OUT_OF_MEMORY;
    // Nobody may count on zeros that nobody wrote.
    *at = (Pointer)aligned_alloc(256, (n + 255) / 256 * 256);
    return memset((void*)*at, 0xff, n), SUCCESS;
}
int cuMemFreeAsync(Pointer at, void*) { return free((void*)at), SUCCESS; }
int cuMemsetD8Async(Pointer at, unsigned char value, size_t n, void*) { return memset((void*)at, value, n), SUCCESS; }
int cuMemcpyHtoDAsync_v2(Pointer to, const void* from, size_t n, void*) { return memcpy((void*)to, from, n), SUCCESS; }
int cuMemcpyDtoHAsync_v2(void* to, Pointer from, size_t n, void*) { return memcpy(to, (void*)from, n), SUCCESS; }
int cuLaunchKernel(void* function, unsigned n_blocks, unsigned, unsigned, unsigned n_threads, unsigned, unsigned,
                   unsigned shared, void*, void** arguments, void**) {
    std::lock_guard<std::mutex> one(running);
    if (fault("fails") || n_threads != THREADS) return LAUNCH_FAILED;
    return host_launch((const char*)function, n_blocks, shared, arguments[0], 1) == 0 ? SUCCESS : LAUNCH_FAILED;
}

int nvrtcVersion(int* major, int* minor) { return *major = 13, *minor = 0, SUCCESS; }
int nvrtcCreateProgram(void** program, const char*, const char*, int, const char* const*, const char* const*) {
    return *program = (void*)1, SUCCESS;
}
int nvrtcCompileProgram(void*, int n, const char* const* options) {
    for (int i = 0; i < n; i++)
        if (strcmp(options[i], "--gpu-architecture=sm_90") == 0) return SUCCESS;
    return INVALID_VALUE;
}
int nvrtcDestroyProgram(void**) { return SUCCESS; }
int nvrtcGetCUBINSize(void*, size_t* n) { return *n = sizeof("code of sm_90"), SUCCESS; }
int nvrtcGetCUBIN(void*, char* code) { return strcpy(code, "code of sm_90"), SUCCESS; }
int nvrtcGetProgramLogSize(void*, size_t* n) { return *n = 1, SUCCESS; }
int nvrtcGetProgramLog(void*, char* log) { return *log = 0, SUCCESS; }
}
