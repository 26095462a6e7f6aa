#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

enum { ALIGNMENT = 64 };

static void check(LiteRtStatus status, const char *what)
{
    if (status) {
        fail_in_litert("LiteRT cannot %s (status %d)", what, status);
    }
}

static size_t value_size(LiteRtElementType type)
{
    switch (type) {
    case kLiteRtElementTypeUInt8:
    case kLiteRtElementTypeInt8:
        return 1;
    case kLiteRtElementTypeInt16:
        return 2;
    case kLiteRtElementTypeFloat32:
    case kLiteRtElementTypeInt32:
        return 4;
    }
    fail("expected float32, int32, int16, int8 or uint8 tensors, got LiteRT's type %d",
         (int)type);
}

static size_t count_values(const LiteRtLayout *layout)
{
    size_t count = 1;

    for (unsigned int k = 0; k < layout->rank; k++) {
        if (layout->dimensions[k] < 1) {
            fail("expected tensors of a fixed shape, got dimension %d; export with batch 1",
                 layout->dimensions[k]);
        }
        count *= (size_t)layout->dimensions[k];
    }
    return count;
}

static Tensor open_tensor(LiteRtTensor handle)
{
    LiteRtRankedTensorType type;
    Tensor tensor = {0};
    int quantization = 0;

    check(LiteRtGetRankedTensorType(handle, &type), "tell a tensor's shape");
    check(LiteRtGetQuantizationTypeId(handle, &quantization), "tell a tensor's scale");
    if (quantization == kLiteRtQuantizationPerTensor) {
        LiteRtQuantizationPerTensor values;
        check(LiteRtGetPerTensorQuantization(handle, &values), "tell a tensor's scale");
        tensor.scale = values.scale;
        tensor.zero_point = values.zero_point;
    }
    tensor.type = type.element_type;
    tensor.count = count_values(&type.layout);
    tensor.size_bytes = tensor.count * value_size(tensor.type);
    /* Kernels may read some bytes past the end. */
    size_t room = (tensor.size_bytes / ALIGNMENT + 2) * ALIGNMENT;
    tensor.memory = aligned_alloc(ALIGNMENT, room);
    if (!tensor.memory) {
        fail("no memory for a tensor of %zu bytes", tensor.size_bytes);
    }
    memset(tensor.memory, 0, room);
    check(LiteRtCreateTensorBufferFromHostMemory(&type, tensor.memory, tensor.size_bytes,
                                                 NULL, &tensor.buffer),
          "use our memory for a tensor");
    return tensor;
}

static void open_tensors(Model *model)
{
    LiteRtSignature signature;
    LiteRtTensor input, output;
    size_t inputs = 0, outputs = 0;

    check(LiteRtGetModelSignature(model->model, 0, &signature), "find a signature");
    check(LiteRtGetNumSignatureInputs(signature, &inputs), "count the inputs");
    check(LiteRtGetNumSignatureOutputs(signature, &outputs), "count the outputs");
    if (inputs != 1 || outputs != 1) {
        fail("expected a file with one input and one output, got %zu and %zu", inputs,
             outputs);
    }
    check(LiteRtGetSignatureInputTensorByIndex(signature, 0, &input), "find the input");
    check(LiteRtGetSignatureOutputTensorByIndex(signature, 0, &output),
          "find the output");
    model->input = open_tensor(input);
    model->output = open_tensor(output);
}

static void add_options(LiteRtOptions options, const char *reader, const char *text)
{
    LiteRtOpaqueOptions added;
    char *owned = allocate(strlen(text) + 1, 1);

    strcpy(owned, text);
    check(LiteRtCreateOpaqueOptions(reader, owned, free, &added), "take options");
    check(LiteRtAddOpaqueOptions(options, added), "take options");
}

LiteRtEnvironment open_environment(void)
{
    LiteRtEnvironment environment;

    check(LiteRtCreateEnvironment(0, NULL, &environment), "start");
    return environment;
}

Model open_model(LiteRtEnvironment environment, const char *path, int threads,
                 bool profiled)
{
    Model model = {0};
    LiteRtOptions options;
    char text[64];

    if (LiteRtCreateModelFromFile(environment, path, &model.model)) {
        fail_in_litert("%s is not a .tflite file that LiteRT can run", path);
    }
    check(LiteRtCreateOptions(&options), "take options");
    check(LiteRtSetOptionsHardwareAccelerators(options, kLiteRtHwAcceleratorCpu),
          "use the CPU");
    snprintf(text, sizeof text, "num_threads = %d\n", threads);
    add_options(options, "xnnpack", text);
    if (profiled) {
        add_options(options, "runtime_options_string", "enable_profiling = true\n");
    }
    if (LiteRtCreateCompiledModel(environment, model.model, options, &model.compiled)) {
        fail_in_litert("%s is not a .tflite file that LiteRT can run", path);
    }
    LiteRtDestroyOptions(options);
    open_tensors(&model);
    return model;
}

void run_model(Model *model)
{
    check(LiteRtRunCompiledModel(model->compiled, 0, 1, &model->input.buffer, 1,
                                 &model->output.buffer),
          "run the file");
}

void close_model(Model *model)
{
    LiteRtDestroyTensorBuffer(model->input.buffer);
    LiteRtDestroyTensorBuffer(model->output.buffer);
    LiteRtDestroyCompiledModel(model->compiled);
    LiteRtDestroyModel(model->model);
    free(model->input.memory);
    free(model->output.memory);
}

double stored_value(const Tensor *tensor, const void *memory, size_t k)
{
    switch (tensor->type) {
    case kLiteRtElementTypeFloat32:
        return ((const float *)memory)[k];
    case kLiteRtElementTypeInt32:
        return ((const int32_t *)memory)[k];
    case kLiteRtElementTypeInt16:
        return ((const int16_t *)memory)[k];
    case kLiteRtElementTypeInt8:
        return ((const int8_t *)memory)[k];
    case kLiteRtElementTypeUInt8:
        return ((const uint8_t *)memory)[k];
    }
    return 0; /* `value_size` let no other type pass. */
}
