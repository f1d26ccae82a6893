/* SPDX-License-Identifier: MIT */
#include "opencl/svm.h"

CL_API_ENTRY void CL_API_CALL clSVMFree(cl_context context, void *svm_pointer)
{
	if (IS_CONTEXT(context) && context->svm && svm_pointer)
		svm_free(context, svm_pointer);
}
