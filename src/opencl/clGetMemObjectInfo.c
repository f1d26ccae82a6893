/* SPDX-License-Identifier: MIT */
#include "opencl/svm.h"

CL_API_ENTRY cl_int CL_API_CALL clGetMemObjectInfo(cl_mem m, cl_mem_info param_name, size_t cap, void *dst,
						   size_t *size_ret)
{
	if (!IS_MEM(m))
		return CL_INVALID_MEM_OBJECT;

	switch (param_name) {
	case CL_MEM_TYPE:
		return INFO_RETURN(cl_mem_object_type, m->type, cap, dst, size_ret);
	case CL_MEM_FLAGS:
		return INFO_RETURN(cl_mem_flags, m->flags, cap, dst, size_ret);
	case CL_MEM_SIZE:
		return INFO_RETURN(size_t, m->size, cap, dst, size_ret);
	case CL_MEM_HOST_PTR:
		return INFO_RETURN(void *, m->host_ptr, cap, dst, size_ret);
	case CL_MEM_MAP_COUNT:
		return INFO_RETURN(cl_uint, m->map_count, cap, dst, size_ret);
	case CL_MEM_REFERENCE_COUNT:
		return INFO_RETURN(cl_uint, atomic_load(&m->head.refs), cap, dst, size_ret);
	case CL_MEM_CONTEXT:
		return INFO_RETURN(cl_context, m->context, cap, dst, size_ret);
	case CL_MEM_ASSOCIATED_MEMOBJECT:
		return INFO_RETURN(cl_mem, m->parent, cap, dst, size_ret);
	case CL_MEM_OFFSET:
		return INFO_RETURN(size_t, m->origin, cap, dst, size_ret);
	case CL_MEM_USES_SVM_POINTER:
		/* As PoCL: true while an allocation begins where the object does; never of a part. */
		return INFO_RETURN(cl_bool, m->host_ptr && !m->parent && svm_size(m->context, m->host_ptr), cap, dst,
				   size_ret);
	case CL_MEM_PROPERTIES:
		return info_return(m->properties, m->nr_properties * sizeof(*m->properties), cap, dst, size_ret);
	default:
		return CL_INVALID_VALUE;
	}
}
