/* SPDX-License-Identifier: Apache-2.0 */
/* A program that uses OpenCL as any other does: checks NAME. It ends with the line at fault. */
#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <CL/cl_icd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)
#define GOOD(call)                                                                                 \
    do {                                                                                           \
        cl_int status_ = (call);                                                                   \
        if (status_) {                                                                             \
            fprintf(stderr, "%s:%d: %s: %d\n", __FILE__, __LINE__, #call, status_);                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

enum { COUNT = 1024, SIZE = COUNT * sizeof(cl_int) };

static cl_platform_id platform;
static cl_device_id device;
static cl_context context;
static cl_command_queue queue;
static cl_int status;

static const char *source = "kernel void add(global int *c, global const int *a, int b) {"
                            "  c[get_global_id(0)] = a[get_global_id(0)] + b; }"
                            "kernel void say(int n) { printf(\"n is %d\\n\", n); }";

static void open_device(cl_command_queue_properties properties)
{
    GOOD(clGetPlatformIDs(1, &platform, NULL));
    GOOD(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL));
    context = clCreateContext(NULL, 1, &device, NULL, NULL, &status);
    GOOD(status);
    queue = clCreateCommandQueue(context, device, properties, &status);
    GOOD(status);
}

static cl_kernel make_kernel(const char *text, const char *name, const char *options)
{
    cl_program program = clCreateProgramWithSource(context, 1, &text, NULL, &status);
    cl_kernel kernel;

    GOOD(status);
    GOOD(clBuildProgram(program, 1, &device, options, NULL, NULL));
    kernel = clCreateKernel(program, name, &status);
    GOOD(status);
    GOOD(clReleaseProgram(program));
    return kernel;
}

static cl_mem make_buffer(const void *content)
{
    cl_mem memory = clCreateBuffer(context, content ? CL_MEM_COPY_HOST_PTR : 0, SIZE,
                                   (void *)content, &status);

    GOOD(status);
    return memory;
}

static void check_add(void)
{
    cl_int a[COUNT], c[COUNT], b = 7;
    size_t count = COUNT;
    cl_mem in, out;
    cl_kernel kernel;

    for (int i = 0; i < COUNT; i++)
        a[i] = i;
    open_device(0);
    in = make_buffer(a);
    out = make_buffer(NULL);
    kernel = make_kernel(source, "add", NULL);
    GOOD(clSetKernelArg(kernel, 0, sizeof out, &out));
    GOOD(clSetKernelArg(kernel, 1, sizeof in, &in));
    for (int round = 0; round < 100; round++, b++) {
        GOOD(clSetKernelArg(kernel, 2, sizeof b, &b));
        GOOD(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &count, NULL, 0, NULL, NULL));
    }
    GOOD(clEnqueueReadBuffer(queue, out, CL_FALSE, 0, SIZE, c, 0, NULL, NULL));
    GOOD(clFinish(queue));
    for (int i = 0; i < COUNT; i++)
        CHECK(c[i] == i + 106);
    CHECK(clSetKernelArg(kernel, 0, sizeof b, &b) == CL_INVALID_ARG_SIZE);
    CHECK(clSetKernelArg(kernel, 2, 8, &a) == CL_INVALID_ARG_SIZE);
    CHECK(clSetKernelArg(kernel, 3, sizeof b, &b) == CL_INVALID_ARG_INDEX);
    GOOD(clReleaseKernel(kernel));
    GOOD(clReleaseMemObject(in));
    GOOD(clReleaseMemObject(out));
    GOOD(clReleaseCommandQueue(queue));
    GOOD(clReleaseContext(context));
}

static void check_print(void)
{
    cl_int n = 42;
    cl_kernel kernel;

    open_device(0);
    kernel = make_kernel(source, "say", NULL);
    GOOD(clSetKernelArg(kernel, 0, sizeof n, &n));
    GOOD(clEnqueueTask(queue, kernel, 0, NULL, NULL));
    GOOD(clFinish(queue));
}

static void check_map(void)
{
    cl_int host[COUNT] = {0}, *mapped, answer[COUNT];
    cl_uint maps;
    cl_mem memory;

    open_device(0);
    memory = clCreateBuffer(context, CL_MEM_USE_HOST_PTR, SIZE, host, &status);
    GOOD(status);
    mapped = clEnqueueMapBuffer(queue, memory, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 16, 64, 0,
                                NULL, NULL, &status);
    GOOD(status);
    CHECK(mapped == host + 4);
    GOOD(clGetMemObjectInfo(memory, CL_MEM_MAP_COUNT, sizeof maps, &maps, NULL));
    CHECK(maps == 1);
    mapped[0] = 5;
    CHECK(clEnqueueUnmapMemObject(queue, memory, mapped, 1, NULL, NULL) ==
          CL_INVALID_EVENT_WAIT_LIST);
    GOOD(clEnqueueUnmapMemObject(queue, memory, mapped, 0, NULL, NULL));
    CHECK(clEnqueueUnmapMemObject(queue, memory, mapped, 0, NULL, NULL) == CL_INVALID_VALUE);
    GOOD(clEnqueueReadBuffer(queue, memory, CL_TRUE, 0, SIZE, answer, 0, NULL, NULL));
    CHECK(answer[4] == 5 && answer[3] == 0 && answer[5] == 0);
    CHECK(!clEnqueueMapBuffer(queue, memory, CL_TRUE, CL_MAP_READ, SIZE, 1, 0, NULL, NULL, &status));
    CHECK(status == CL_INVALID_VALUE);
}

static void check_boxes(void)
{
    size_t from[3] = {4, 1, 0}, to[3] = {0, 0, 0}, region[3] = {8, 3, 1};
    unsigned char host[64 * 4], part[8 * 3];
    cl_image_format format = {CL_RGBA, CL_UNSIGNED_INT8};
    cl_image_desc shape = {.image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = 16,
                           .image_height = 4};
    size_t origin[3] = {0, 0, 0}, whole[3] = {16, 4, 1}, pitch;
    unsigned char pixels[16 * 4 * 4], answer[16 * 4 * 4], *mapped;
    cl_mem memory, image;

    open_device(0);
    for (size_t i = 0; i < sizeof host; i++)
        host[i] = (unsigned char)i;
    memory = make_buffer(NULL);
    GOOD(clEnqueueWriteBuffer(queue, memory, CL_TRUE, 0, sizeof host, host, 0, NULL, NULL));
    GOOD(clEnqueueReadBufferRect(queue, memory, CL_TRUE, from, to, region, 64, 0, 8, 0, part, 0,
                                 NULL, NULL));
    for (int y = 0; y < 3; y++)
        CHECK(!memcmp(part + 8 * y, host + 64 * (y + 1) + 4, 8));
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (unsigned char)(3 * i);
    image = clCreateImage(context, CL_MEM_COPY_HOST_PTR, &format, &shape, pixels, &status);
    GOOD(status);
    GOOD(clEnqueueReadImage(queue, image, CL_TRUE, origin, whole, 0, 0, answer, 0, NULL, NULL));
    CHECK(!memcmp(pixels, answer, sizeof pixels));
    mapped = clEnqueueMapImage(queue, image, CL_TRUE, CL_MAP_WRITE | CL_MAP_READ, origin, whole,
                               &pitch, NULL, 0, NULL, NULL, &status);
    GOOD(status);
    CHECK(pitch == 64 && mapped[5] == pixels[5]);
    mapped[5] = 99;
    GOOD(clEnqueueUnmapMemObject(queue, image, mapped, 0, NULL, NULL));
    GOOD(clEnqueueReadImage(queue, image, CL_TRUE, origin, whole, 0, 0, answer, 0, NULL, NULL));
    CHECK(answer[5] == 99 && answer[6] == pixels[6]);
    CHECK(clEnqueueReadBuffer(queue, image, CL_TRUE, 0, 4, answer, 0, NULL, NULL) ==
          CL_INVALID_MEM_OBJECT);
}

static volatile int called;

static void CL_CALLBACK note(cl_event event, cl_int type, void *data)
{
    (void)event;
    CHECK(type == CL_COMPLETE);
    ++*(volatile int *)data;
}

static void *set_later(void *event)
{
    usleep(50000);
    GOOD(clSetUserEventStatus(event, CL_COMPLETE));
    return NULL;
}

static void check_events(void)
{
    cl_int content[COUNT] = {1, 2, 3}, answer[COUNT] = {0};
    cl_event user, written, read;
    cl_ulong start, end;
    pthread_t thread;
    cl_mem memory;

    open_device(CL_QUEUE_PROFILING_ENABLE);
    memory = make_buffer(NULL);
    user = clCreateUserEvent(context, &status);
    GOOD(status);
    GOOD(clEnqueueWriteBuffer(queue, memory, CL_FALSE, 0, SIZE, content, 1, &user, &written));
    GOOD(clEnqueueReadBuffer(queue, memory, CL_FALSE, 0, SIZE, answer, 0, NULL, &read));
    GOOD(clSetEventCallback(read, CL_COMPLETE, note, (void *)&called));
    GOOD(clGetEventInfo(written, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL));
    CHECK(status > CL_COMPLETE);
    CHECK(!pthread_create(&thread, NULL, set_later, user));
    GOOD(clWaitForEvents(1, &read));
    CHECK(!memcmp(content, answer, SIZE));
    CHECK(!pthread_join(thread, NULL));
    GOOD(clGetEventProfilingInfo(read, CL_PROFILING_COMMAND_START, sizeof start, &start, NULL));
    GOOD(clGetEventProfilingInfo(read, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL));
    CHECK(start && end >= start);
    for (int i = 0; i < 1000 && !called; i++)
        usleep(10000);
    CHECK(called == 1);
    user = clCreateUserEvent(context, &status);
    GOOD(clEnqueueMarkerWithWaitList(queue, 1, &user, &written));
    GOOD(clSetUserEventStatus(user, -5));
    CHECK(clWaitForEvents(1, &written) == CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
}

static void check_both_ways(void)
{
    /* Both sides send more than the sockets hold, at once. */
    enum { LARGE = 32 << 20 };
    char *content = malloc(LARGE), *answer = malloc(LARGE);
    cl_mem memory;

    open_device(0);
    memory = clCreateBuffer(context, 0, LARGE, NULL, &status);
    GOOD(status);
    for (int round = 1; round < 4; round++) {
        memset(content, round, LARGE);
        GOOD(clEnqueueWriteBuffer(queue, memory, CL_FALSE, 0, LARGE, content, 0, NULL, NULL));
        GOOD(clEnqueueReadBuffer(queue, memory, CL_FALSE, 0, LARGE, answer, 0, NULL, NULL));
        GOOD(clEnqueueWriteBuffer(queue, memory, CL_FALSE, 0, LARGE, content, 0, NULL, NULL));
        GOOD(clFinish(queue));
        CHECK(answer[0] == round && answer[LARGE - 1] == round);
    }
}

static void check_headers(void)
{
    const char *text = "#include \"outer.h\"\n#include <outer.h>\n"
                       "#if 0\n#include \"once.h\"\n#endif\n"
                       "#include \"once.h\"\n#include \"headers/../headers/once.h\"\n"
                       "kernel void f(global int *a) { *a = same(OUTER + INNER); }\n";
    cl_int answer = 0;
    cl_kernel kernel;
    cl_mem memory;

    open_device(0);
    memory = make_buffer(NULL);
    kernel = make_kernel(text, "f", "-I headers");
    GOOD(clSetKernelArg(kernel, 0, sizeof memory, &memory));
    GOOD(clEnqueueTask(queue, kernel, 0, NULL, NULL));
    GOOD(clEnqueueReadBuffer(queue, memory, CL_TRUE, 0, sizeof answer, &answer, 0, NULL, NULL));
    CHECK(answer == 42);
}

static void check_linking(void)
{
    const char *texts[] = {"int twice(int n) { return 2 * n; }",
                           "int twice(int n); kernel void f(global int *a) { *a = twice(4); }"};
    cl_program programs[2], linked;
    cl_kernel kernel;
    cl_int answer = 0;
    cl_mem memory;

    open_device(0);
    memory = make_buffer(NULL);
    for (int i = 0; i < 2; i++) {
        programs[i] = clCreateProgramWithSource(context, 1, &texts[i], NULL, &status);
        GOOD(clCompileProgram(programs[i], 0, NULL, NULL, 0, NULL, NULL, NULL, NULL));
    }
    linked = clLinkProgram(context, 0, NULL, NULL, 2, programs, NULL, NULL, &status);
    GOOD(status);
    kernel = clCreateKernel(linked, "f", &status);
    GOOD(status);
    GOOD(clSetKernelArg(kernel, 0, sizeof memory, &memory));
    GOOD(clEnqueueTask(queue, kernel, 0, NULL, NULL));
    GOOD(clEnqueueReadBuffer(queue, memory, CL_TRUE, 0, sizeof answer, &answer, 0, NULL, NULL));
    CHECK(answer == 8);
}

static void check_refusals(void)
{
    void *const *table;
    cl_kernel kernel;

    open_device(0);
    table = *(void *const **)platform;
    for (size_t i = 0; i < sizeof(struct _cl_icd_dispatch) / sizeof(void *); i++)
        CHECK(table[i]);
    CHECK(!clSVMAlloc(context, 0, 64, 0));
    CHECK(!clCreateProgramWithIL(context, "il", 2, &status) && status == CL_INVALID_OPERATION);
    CHECK(!clCreatePipe(context, 0, 4, 4, NULL, &status) && status == CL_INVALID_OPERATION);
    CHECK(clFinish(NULL) == CL_INVALID_COMMAND_QUEUE);
    CHECK(clFinish((cl_command_queue)context) == CL_INVALID_COMMAND_QUEUE);
    CHECK(!clCreateBuffer(context, 0, 0, NULL, &status) && status == CL_INVALID_BUFFER_SIZE);
    CHECK(!clCreateBuffer(context, 0, 8, &status, &status) && status == CL_INVALID_HOST_PTR);
    kernel = make_kernel(source, "add", NULL);
    CHECK(clEnqueueTask(queue, kernel, 0, NULL, NULL) == CL_INVALID_KERNEL_ARGS);
}

/* A copy has the arguments of its source, whatever becomes of that. */
static void check_copies(void)
{
    cl_int content[COUNT] = {0}, answer[COUNT], b = 5;
    size_t count = COUNT;
    cl_mem in, out;
    cl_kernel kernel, copy, unset;

    open_device(0);
    in = make_buffer(content);
    out = make_buffer(NULL);
    kernel = make_kernel(source, "add", NULL);
    unset = clCloneKernel(kernel, &status);
    GOOD(status);
    GOOD(clSetKernelArg(kernel, 0, sizeof out, &out));
    GOOD(clSetKernelArg(kernel, 1, sizeof in, &in));
    GOOD(clSetKernelArg(kernel, 2, sizeof b, &b));
    copy = clCloneKernel(kernel, &status);
    GOOD(status);
    b = 6;
    GOOD(clSetKernelArg(kernel, 2, sizeof b, &b));
    GOOD(clReleaseKernel(kernel));
    GOOD(clReleaseMemObject(in));
    GOOD(clEnqueueNDRangeKernel(queue, copy, 1, NULL, &count, NULL, 0, NULL, NULL));
    GOOD(clEnqueueReadBuffer(queue, out, CL_TRUE, 0, SIZE, answer, 0, NULL, NULL));
    CHECK(answer[0] == 5 && answer[COUNT - 1] == 5);
    CHECK(clSetKernelArg(copy, 2, 8, &answer) == CL_INVALID_ARG_SIZE);
    CHECK(clEnqueueTask(queue, unset, 0, NULL, NULL) == CL_INVALID_KERNEL_ARGS);
    CHECK(!clCloneKernel((cl_kernel)queue, &status) && status == CL_INVALID_KERNEL);
    GOOD(clReleaseKernel(unset));
    GOOD(clReleaseKernel(copy));
    GOOD(clReleaseMemObject(out));
    GOOD(clReleaseCommandQueue(queue));
    GOOD(clReleaseContext(context));
}

static void check_parts(void)
{
    const cl_device_partition_property each[] = {CL_DEVICE_PARTITION_EQUALLY, 1, 0},
                                       none[] = {CL_DEVICE_PARTITION_EQUALLY, 0, 0};
    cl_int content[COUNT] = {0}, b = 3;
    cl_device_id *parts, parent, twice[3];
    cl_uint units, count;
    size_t size = COUNT;
    cl_kernel kernel;
    cl_mem memory;

    open_device(0);
    GOOD(clGetDeviceInfo(device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof units, &units, NULL));
    if (units < 2) {
        CHECK(clCreateSubDevices(device, each, 0, NULL, &count) == CL_DEVICE_PARTITION_FAILED);
        return;
    }
    CHECK(clCreateSubDevices(device, none, 0, NULL, &count) == CL_INVALID_VALUE);
    GOOD(clCreateSubDevices(device, each, 0, NULL, &count));
    CHECK(count == units);
    parts = calloc(count, sizeof *parts);
    CHECK(clCreateSubDevices(device, each, count - 1, parts, NULL) == CL_INVALID_VALUE);
    GOOD(clCreateSubDevices(device, each, count, parts, NULL));
    GOOD(clGetDeviceInfo(parts[1], CL_DEVICE_PARENT_DEVICE, sizeof parent, &parent, NULL));
    GOOD(clGetDeviceInfo(parts[1], CL_DEVICE_MAX_COMPUTE_UNITS, sizeof units, &units, NULL));
    CHECK(parent == device && units == 1);
    twice[0] = twice[2] = parts[0];
    twice[1] = device = parts[1];
    GOOD(clReleaseCommandQueue(queue));
    GOOD(clReleaseContext(context));
    context = clCreateContext(NULL, 3, twice, NULL, NULL, &status);
    GOOD(status);
    GOOD(clGetContextInfo(context, CL_CONTEXT_NUM_DEVICES, sizeof units, &units, NULL));
    CHECK(units == 2);
    for (cl_uint i = 0; i < count; i++)
        GOOD(clReleaseDevice(parts[i])); /* the context has two of them still */
    free(parts);
    queue = clCreateCommandQueue(context, device, 0, &status);
    GOOD(status);
    memory = make_buffer(content);
    kernel = make_kernel(source, "add", NULL);
    GOOD(clSetKernelArg(kernel, 0, sizeof memory, &memory));
    GOOD(clSetKernelArg(kernel, 1, sizeof memory, &memory));
    GOOD(clSetKernelArg(kernel, 2, sizeof b, &b));
    GOOD(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &size, NULL, 0, NULL, NULL));
    GOOD(clEnqueueReadBuffer(queue, memory, CL_TRUE, 0, SIZE, content, 0, NULL, NULL));
    CHECK(content[0] == 3 && content[COUNT - 1] == 3);
    GOOD(clReleaseKernel(kernel));
    GOOD(clReleaseMemObject(memory));
    GOOD(clReleaseCommandQueue(queue));
    GOOD(clReleaseContext(context));
}

static void *use(void *argument)
{
    cl_int content[COUNT], answer[COUNT];
    cl_mem memory = make_buffer(NULL);
    cl_command_queue mine = clCreateCommandQueue(context, device, 0, NULL);

    (void)argument;
    for (int round = 0; round < 200; round++) {
        memset(content, round, SIZE);
        GOOD(clEnqueueWriteBuffer(mine, memory, CL_FALSE, 0, SIZE, content, 0, NULL, NULL));
        GOOD(clEnqueueReadBuffer(mine, memory, round % 2, 0, SIZE, answer, 0, NULL, NULL));
        GOOD(clFinish(mine));
        CHECK(!memcmp(content, answer, SIZE));
    }
    return NULL;
}

static void check_threads(void)
{
    pthread_t threads[4];

    open_device(0);
    for (int i = 0; i < 4; i++)
        CHECK(!pthread_create(&threads[i], NULL, use, NULL));
    for (int i = 0; i < 4; i++)
        CHECK(!pthread_join(threads[i], NULL));
}

/* Use the device until it is lost; then every call must say so. */
static void check_loss(void)
{
    cl_int content[COUNT], answer[COUNT];
    cl_mem memory;

    open_device(0);
    memset(content, 7, SIZE);
    memory = make_buffer(content);
    puts("ready");
    fflush(stdout);
    while (!(status = clEnqueueReadBuffer(queue, memory, CL_TRUE, 0, SIZE, answer, 0, NULL, NULL)))
        CHECK(!memcmp(content, answer, SIZE));
    CHECK(status == CL_DEVICE_NOT_AVAILABLE);
    CHECK(clFinish(queue) == CL_DEVICE_NOT_AVAILABLE);
    CHECK(!clCreateBuffer(context, 0, 8, NULL, &status) && status == CL_DEVICE_NOT_AVAILABLE);
    GOOD(clReleaseMemObject(memory));
}

/* Call much, whatever is replied: no call may take the program down. */
static void check_anything(void)
{
    static char content[1 << 16];
    const cl_device_partition_property each[] = {CL_DEVICE_PARTITION_EQUALLY, 1, 0};
    cl_device_id devices[4], parts[4];
    cl_program program;
    cl_kernel kernel;
    cl_event event = NULL;
    cl_mem memory;
    size_t one = 1;

    if (clGetPlatformIDs(1, &platform, NULL) ||
        clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 4, devices, NULL))
        return;
    clGetDeviceInfo(devices[0], CL_DEVICE_NAME, 16, content, NULL);
    clGetDeviceInfo(devices[0], CL_DEVICE_EXTENSIONS, sizeof content, content, NULL);
    if (!clCreateSubDevices(devices[0], each, 4, parts, NULL))
        clReleaseDevice(parts[0]);
    context = clCreateContext(NULL, 1, devices, NULL, NULL, &status);
    if (!context)
        return;
    queue = clCreateCommandQueue(context, devices[0], 0, &status);
    memory = clCreateBuffer(context, 0, sizeof content, NULL, &status);
    program = clCreateProgramWithSource(context, 1, &source, NULL, &status);
    if (!queue || !memory || !program)
        return;
    clBuildProgram(program, 0, NULL, NULL, NULL, NULL);
    clGetProgramBuildInfo(program, devices[0], CL_PROGRAM_BUILD_LOG, 64, content, NULL);
    kernel = clCreateKernel(program, "add", &status);
    if (kernel) {
        cl_kernel copy = clCloneKernel(kernel, &status);

        if (copy)
            clReleaseKernel(copy);
        clSetKernelArg(kernel, 0, sizeof memory, &memory);
        clSetKernelArg(kernel, 2, 4, content);
        clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &one, NULL, 0, NULL, &event);
    }
    clEnqueueReadBuffer(queue, memory, CL_FALSE, 0, 4096, content, 0, NULL, NULL);
    clEnqueueReadBuffer(queue, memory, CL_TRUE, 0, sizeof content, content, 0, NULL, NULL);
    if (event)
        clWaitForEvents(1, &event);
    clFinish(queue);
}

int main(int count, char **words)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } checks[] = {
        {"add", check_add},         {"print", check_print},       {"map", check_map},
        {"boxes", check_boxes},     {"events", check_events},     {"headers", check_headers},
        {"linking", check_linking}, {"refusals", check_refusals}, {"threads", check_threads},
        {"loss", check_loss},       {"anything", check_anything}, {"both-ways", check_both_ways},
        {"parts", check_parts},     {"copies", check_copies},
    };

    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (count == 2 && !strcmp(words[1], checks[i].name)) {
            checks[i].run();
            return 0;
        }
    return 2;
}
