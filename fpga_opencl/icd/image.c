/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"
#include "info.h"
#include "memory.h"
#include "pack.h"
#include "wire.h"

static const cl_image_desc NO_SHAPE;

/* Rows and slices as the type has them: at least one of each. */
static void get_extent(const cl_image_desc *shape, size_t extent[3])
{
    extent[0] = shape->image_width;
    extent[1] = shape->image_height ? shape->image_height : 1;
    extent[2] = shape->image_depth ? shape->image_depth : 1;
    switch (shape->image_type) {
    case CL_MEM_OBJECT_IMAGE1D:
    case CL_MEM_OBJECT_IMAGE1D_BUFFER:
        extent[1] = extent[2] = 1;
        break;
    case CL_MEM_OBJECT_IMAGE1D_ARRAY:
        extent[1] = 1;
        extent[2] = shape->image_array_size;
        break;
    case CL_MEM_OBJECT_IMAGE2D:
        extent[2] = 1;
        break;
    case CL_MEM_OBJECT_IMAGE2D_ARRAY:
        extent[2] = shape->image_array_size;
        break;
    }
}

static cl_int check_shape(const cl_image_desc *shape, const void *host)
{
    size_t extent[3];

    if (shape->image_type < CL_MEM_OBJECT_IMAGE2D ||
        shape->image_type > CL_MEM_OBJECT_IMAGE1D_BUFFER)
        return CL_INVALID_IMAGE_DESCRIPTOR;
    if (shape->num_mip_levels || shape->num_samples)
        return CL_INVALID_IMAGE_DESCRIPTOR;
    if (!host && !shape->buffer && (shape->image_row_pitch || shape->image_slice_pitch))
        return CL_INVALID_IMAGE_DESCRIPTOR;
    if (shape->buffer && (!object_is(shape->buffer, KIND_MEMORY) ||
                          shape->image_type != CL_MEM_OBJECT_IMAGE1D_BUFFER))
        return CL_INVALID_IMAGE_DESCRIPTOR;
    get_extent(shape, extent);
    for (int i = 0; i < 3; i++)
        if (!extent[i] || extent[i] > 1u << 20)
            return CL_INVALID_IMAGE_SIZE;
    return CL_SUCCESS;
}

/* Bytes of a pixel; 0 for what is no format. */
static size_t pixel_size(const cl_image_format *format)
{
    size_t channels, size;

    switch (format->image_channel_order) {
    case CL_RGBA: case CL_BGRA: case CL_ARGB: case CL_ABGR: case CL_sRGBA: case CL_sBGRA:
    case CL_RGBx: case CL_sRGBx:
        channels = 4;
        break;
    case CL_RGB: case CL_sRGB:
        channels = 3;
        break;
    case CL_RG: case CL_RA: case CL_Rx:
        channels = 2;
        break;
    default:
        channels = 1;
    }
    switch (format->image_channel_data_type) {
    case CL_SNORM_INT8: case CL_UNORM_INT8: case CL_SIGNED_INT8: case CL_UNSIGNED_INT8:
        size = 1;
        break;
    case CL_SNORM_INT16: case CL_UNORM_INT16: case CL_SIGNED_INT16: case CL_UNSIGNED_INT16:
    case CL_HALF_FLOAT:
        size = 2;
        break;
    case CL_SIGNED_INT32: case CL_UNSIGNED_INT32: case CL_FLOAT:
        size = 4;
        break;
    case CL_UNORM_SHORT_565: case CL_UNORM_SHORT_555:
        return 2;
    case CL_UNORM_INT_101010:
        return 4;
    default:
        return 0;
    }
    return channels * size;
}

static cl_int create(cl_mem image, const void *host)
{
    const cl_image_desc *shape = &image->shape;
    struct create_image_message message = {
        .memory = image->object.id,
        .context = image->context->object.id,
        .flags = image->flags,
        .order = image->format.image_channel_order,
        .data_type = image->format.image_channel_data_type,
        .type = shape->image_type,
        .width = shape->image_width,
        .height = shape->image_height,
        .depth = shape->image_depth,
        .array = shape->image_array_size,
        .buffer = object_id(shape->buffer),
    };
    size_t extent[3];
    struct box box;
    cl_int status;

    get_extent(shape, extent);
    box = (struct box){.width = extent[0] * image->pixel, .height = extent[1], .depth = extent[2],
                       .row_pitch = shape->image_row_pitch, .slice_pitch = shape->image_slice_pitch};
    pack_fill(&box);
    image->size = box.width * box.height * box.depth;
    if (host) {
        char *content = pack(host, &box);
        struct part parts[] = {{&message, sizeof message}, {content, image->size}};

        status = content ? wire_call(MESSAGE_CREATE_IMAGE, parts, 2) : CL_OUT_OF_HOST_MEMORY;
        free(content);
    } else {
        struct part parts[] = {{&message, sizeof message}};

        status = wire_call(MESSAGE_CREATE_IMAGE, parts, 1);
    }
    image->shape.image_row_pitch = box.row_pitch;
    image->shape.image_slice_pitch = box.height > 1 || box.depth > 1 ? box.slice_pitch : 0;
    if (shape->image_type == CL_MEM_OBJECT_IMAGE2D)
        image->shape.image_slice_pitch = 0;
    return status;
}

cl_mem CL_API_CALL icd_clCreateImage(cl_context context, cl_mem_flags flags,
                                     const cl_image_format *image_format,
                                     const cl_image_desc *image_desc, void *host_ptr,
                                     cl_int *errcode_ret)
{
    cl_mem image;
    cl_int status = object_is(context, KIND_CONTEXT) ? memory_check_flags(flags, host_ptr)
                                                     : CL_INVALID_CONTEXT;

    if (!status && !image_format)
        status = CL_INVALID_IMAGE_FORMAT_DESCRIPTOR;
    if (!status)
        status = image_desc ? check_shape(image_desc, host_ptr) : CL_INVALID_IMAGE_DESCRIPTOR;
    if (!status && !pixel_size(image_format))
        status = CL_IMAGE_FORMAT_NOT_SUPPORTED;
    if (status) {
        set_error(errcode_ret, status);
        return NULL;
    }
    image = memory_new(context, image_desc->image_type, flags, host_ptr);
    if (image) {
        image->format = *image_format;
        image->shape = *image_desc;
        image->parent = image_desc->buffer;
        image->pixel = pixel_size(image_format);
        status = create(image, host_ptr);
    }
    return memory_done(image, image ? status : CL_OUT_OF_HOST_MEMORY, errcode_ret);
}

cl_mem CL_API_CALL icd_clCreateImageWithProperties(
    cl_context context, const cl_mem_properties *properties, cl_mem_flags flags,
    const cl_image_format *image_format, const cl_image_desc *image_desc, void *host_ptr,
    cl_int *errcode_ret)
{
    if (properties && *properties) {
        set_error(errcode_ret, CL_INVALID_PROPERTY);
        return NULL;
    }
    return icd_clCreateImage(context, flags, image_format, image_desc, host_ptr, errcode_ret);
}

cl_mem CL_API_CALL icd_clCreateImage2D(cl_context context, cl_mem_flags flags,
                                       const cl_image_format *image_format, size_t image_width,
                                       size_t image_height, size_t image_row_pitch, void *host_ptr,
                                       cl_int *errcode_ret)
{
    cl_image_desc shape = NO_SHAPE;

    shape.image_type = CL_MEM_OBJECT_IMAGE2D;
    shape.image_width = image_width;
    shape.image_height = image_height;
    shape.image_row_pitch = image_row_pitch;
    return icd_clCreateImage(context, flags, image_format, &shape, host_ptr, errcode_ret);
}

cl_mem CL_API_CALL icd_clCreateImage3D(cl_context context, cl_mem_flags flags,
                                       const cl_image_format *image_format, size_t image_width,
                                       size_t image_height, size_t image_depth,
                                       size_t image_row_pitch, size_t image_slice_pitch,
                                       void *host_ptr, cl_int *errcode_ret)
{
    cl_image_desc shape = NO_SHAPE;

    shape.image_type = CL_MEM_OBJECT_IMAGE3D;
    shape.image_width = image_width;
    shape.image_height = image_height;
    shape.image_depth = image_depth;
    shape.image_row_pitch = image_row_pitch;
    shape.image_slice_pitch = image_slice_pitch;
    return icd_clCreateImage(context, flags, image_format, &shape, host_ptr, errcode_ret);
}

cl_int CL_API_CALL icd_clGetSupportedImageFormats(cl_context context, cl_mem_flags flags,
                                                  cl_mem_object_type image_type,
                                                  cl_uint num_entries,
                                                  cl_image_format *image_formats,
                                                  cl_uint *num_image_formats)
{
    struct formats_message message = {object_id(context), flags, image_type, 0};
    struct part parts[] = {{&message, sizeof message}};
    struct content content;
    cl_uint count;
    cl_int status;

    if (!object_is(context, KIND_CONTEXT))
        return CL_INVALID_CONTEXT;
    if (image_formats && !num_entries)
        return CL_INVALID_VALUE;
    status = wire_ask(MESSAGE_FORMATS, parts, 1, &content);
    if (status)
        return status;
    count = (cl_uint)(content.size / sizeof(cl_image_format));
    if (num_image_formats)
        *num_image_formats = count;
    if (image_formats)
        memcpy(image_formats, content.data,
               (count < num_entries ? count : num_entries) * sizeof(cl_image_format));
    free(content.data);
    return CL_SUCCESS;
}

cl_int CL_API_CALL icd_clGetImageInfo(cl_mem image, cl_image_info param_name,
                                      size_t param_value_size, void *param_value,
                                      size_t *param_value_size_ret)
{
    if (!object_is(image, KIND_MEMORY) || !image->pixel)
        return CL_INVALID_MEM_OBJECT;
    switch (param_name) {
    case CL_IMAGE_FORMAT:
        return info_give(INFO_RESULT, &image->format, sizeof image->format);
    case CL_IMAGE_ELEMENT_SIZE:
        return INFO_VALUE(size_t, image->pixel);
    case CL_IMAGE_ROW_PITCH:
        return INFO_VALUE(size_t, image->shape.image_row_pitch);
    case CL_IMAGE_SLICE_PITCH:
        return INFO_VALUE(size_t, image->shape.image_slice_pitch);
    case CL_IMAGE_WIDTH:
        return INFO_VALUE(size_t, image->shape.image_width);
    case CL_IMAGE_HEIGHT:
        return INFO_VALUE(size_t, image->shape.image_height);
    case CL_IMAGE_DEPTH:
        return INFO_VALUE(size_t, image->shape.image_depth);
    case CL_IMAGE_ARRAY_SIZE:
        return INFO_VALUE(size_t, image->shape.image_array_size);
    case CL_IMAGE_BUFFER:
        return INFO_VALUE(cl_mem, image->shape.buffer);
    case CL_IMAGE_NUM_MIP_LEVELS:
    case CL_IMAGE_NUM_SAMPLES:
        return INFO_VALUE(cl_uint, 0);
    }
    return CL_INVALID_VALUE;
}
