/* The part of LiteRT's C interface that this program uses: the ai-edge-litert wheel has the
 * shared library and no headers. After litert/c/litert_{common,environment,model,
 * model_types,layout,options,opaque_options,compiled_model,tensor_buffer,profiler}.h and
 * litert_profiler_event.h of https://github.com/google-ai-edge/LiteRT; tried with 2.3.0.
 */
#ifndef KERAS_KD_LITERT_H
#define KERAS_KD_LITERT_H

#include <stddef.h>
#include <stdint.h>

typedef int LiteRtStatus; /* 0: success */
typedef struct LiteRtEnvironmentT *LiteRtEnvironment;
typedef struct LiteRtModelT *LiteRtModel;
typedef struct LiteRtOptionsT *LiteRtOptions;
typedef struct LiteRtOpaqueOptionsT *LiteRtOpaqueOptions;
typedef struct LiteRtCompiledModelT *LiteRtCompiledModel;
typedef struct LiteRtSignatureT *LiteRtSignature;
typedef struct LiteRtTensorT *LiteRtTensor;
typedef struct LiteRtTensorBufferT *LiteRtTensorBuffer;
typedef struct LiteRtProfilerT *LiteRtProfiler;

typedef enum {
    kLiteRtElementTypeFloat32 = 1,
    kLiteRtElementTypeInt32 = 2,
    kLiteRtElementTypeUInt8 = 3,
    kLiteRtElementTypeInt16 = 7,
    kLiteRtElementTypeInt8 = 9,
} LiteRtElementType;

typedef struct {
    unsigned int rank : 7;
    unsigned int has_strides : 1;
    int32_t dimensions[8]; /* below 0: not fixed */
    uint32_t strides[8];
} LiteRtLayout;

typedef struct {
    LiteRtElementType element_type;
    LiteRtLayout layout;
} LiteRtRankedTensorType;

_Static_assert(sizeof(LiteRtRankedTensorType) == 72, "the library's own layout");

enum { kLiteRtQuantizationPerTensor = 1, kLiteRtHwAcceleratorCpu = 1 };

typedef struct {
    float scale;
    int64_t zero_point;
} LiteRtQuantizationPerTensor;

/* Bits of an event's type. */
enum { kOperatorInvokeEvent = 2, kDelegateProfiledOperatorInvokeEvent = 8 };

typedef struct {
    const char *tag;
    int event_type;
    uint64_t start_timestamp_us;
    uint64_t elapsed_time_us;
    size_t begin_memory[3];
    size_t end_memory[3];
    uint64_t event_metadata1;
    uint64_t event_metadata2;
    int event_source;
} LiteRtProfilerEvent;

LiteRtStatus LiteRtCreateEnvironment(int count, const void *options,
                                     LiteRtEnvironment *environment);
void LiteRtDestroyEnvironment(LiteRtEnvironment environment);

LiteRtStatus LiteRtCreateModelFromFile(LiteRtEnvironment environment, const char *path,
                                       LiteRtModel *model);
void LiteRtDestroyModel(LiteRtModel model);
LiteRtStatus LiteRtGetModelSignature(LiteRtModel model, size_t index,
                                     LiteRtSignature *signature);
LiteRtStatus LiteRtGetNumSignatureInputs(LiteRtSignature signature, size_t *count);
LiteRtStatus LiteRtGetNumSignatureOutputs(LiteRtSignature signature, size_t *count);
LiteRtStatus LiteRtGetSignatureInputTensorByIndex(LiteRtSignature signature,
                                                  size_t index, LiteRtTensor *tensor);
LiteRtStatus LiteRtGetSignatureOutputTensorByIndex(LiteRtSignature signature,
                                                   size_t index, LiteRtTensor *tensor);
LiteRtStatus LiteRtGetRankedTensorType(LiteRtTensor tensor,
                                       LiteRtRankedTensorType *type);
LiteRtStatus LiteRtGetQuantizationTypeId(LiteRtTensor tensor, int *type);
LiteRtStatus LiteRtGetPerTensorQuantization(LiteRtTensor tensor,
                                            LiteRtQuantizationPerTensor *quantization);

LiteRtStatus LiteRtCreateOptions(LiteRtOptions *options);
void LiteRtDestroyOptions(LiteRtOptions options);
LiteRtStatus LiteRtSetOptionsHardwareAccelerators(LiteRtOptions options,
                                                  int accelerators);
/* Takes `data`, which `destroy` ends; `identifier` names who reads it. */
LiteRtStatus LiteRtCreateOpaqueOptions(const char *identifier, void *data,
                                       void (*destroy)(void *),
                                       LiteRtOpaqueOptions *options);
LiteRtStatus LiteRtAddOpaqueOptions(LiteRtOptions options, LiteRtOpaqueOptions added);

LiteRtStatus LiteRtCreateCompiledModel(LiteRtEnvironment environment, LiteRtModel model,
                                       LiteRtOptions options,
                                       LiteRtCompiledModel *compiled);
void LiteRtDestroyCompiledModel(LiteRtCompiledModel compiled);
LiteRtStatus LiteRtRunCompiledModel(LiteRtCompiledModel compiled, size_t signature,
                                    size_t input_count, LiteRtTensorBuffer *inputs,
                                    size_t output_count, LiteRtTensorBuffer *outputs);

/* The memory starts at a multiple of 64 bytes and stays the caller's. */
LiteRtStatus LiteRtCreateTensorBufferFromHostMemory(const LiteRtRankedTensorType *type,
                                                    void *memory, size_t size,
                                                    void (*destroy)(void *),
                                                    LiteRtTensorBuffer *buffer);
void LiteRtDestroyTensorBuffer(LiteRtTensorBuffer buffer);

LiteRtStatus LiteRtCompiledModelGetProfiler(LiteRtCompiledModel compiled,
                                            LiteRtProfiler *profiler);
LiteRtStatus LiteRtStartProfiler(LiteRtProfiler profiler);
LiteRtStatus LiteRtStopProfiler(LiteRtProfiler profiler);
LiteRtStatus LiteRtResetProfiler(LiteRtProfiler profiler);
LiteRtStatus LiteRtGetNumProfilerEvents(LiteRtProfiler profiler, int *count);
LiteRtStatus LiteRtGetProfilerEvents(LiteRtProfiler profiler, int count,
                                     LiteRtProfilerEvent *events);

#endif
