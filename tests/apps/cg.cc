// SPDX-License-Identifier: MIT
// A sparse system solved by ViennaCL's conjugate gradients: a tridiagonal,
// diagonally dominant matrix, in double precision. Prints the iterations, the
// true residual computed on the host, and a digest of every bit of the solution.
#define VIENNACL_WITH_OPENCL 1
#define CL_TARGET_OPENCL_VERSION 120
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <vector>

#include "viennacl/compressed_matrix.hpp"
#include "viennacl/linalg/cg.hpp"
#include "viennacl/vector.hpp"

namespace {

constexpr std::size_t rows = 20000;

using host_matrix = std::vector<std::map<unsigned int, double>>;

host_matrix make_matrix()
{
	host_matrix m(rows);

	for (std::size_t i = 0; i < rows; i++) {
		auto column = static_cast<unsigned int>(i);

		m[i][column] = 4.0 + static_cast<double>(i % 7) / 8;
		if (i > 0)
			m[i][column - 1] = -1.0;
		if (i + 1 < rows)
			m[i][column + 1] = -1.0;
	}
	return m;
}

double relative_residual(const host_matrix &m, const std::vector<double> &x, const std::vector<double> &b)
{
	double error = 0, size = 0;

	for (std::size_t i = 0; i < rows; i++) {
		double product = 0;

		for (const auto &entry : m[i])
			product += entry.second * x[entry.first];
		error += (b[i] - product) * (b[i] - product);
		size += b[i] * b[i];
	}
	return std::sqrt(error / size);
}

std::uint64_t digest(const std::vector<double> &x)
{
	std::uint64_t h = 0xcbf29ce484222325u;

	for (double value : x) {
		std::uint64_t bits;

		std::memcpy(&bits, &value, sizeof(bits));
		h = (h ^ bits) * 0x100000001b3u;
	}
	return h;
}

} // namespace

int main()
{
	host_matrix host = make_matrix();
	std::vector<double> b(rows), x(rows);

	for (std::size_t i = 0; i < rows; i++)
		b[i] = 1.0 + static_cast<double>(i % 5);

	viennacl::compressed_matrix<double> matrix(rows, rows);
	viennacl::vector<double> rhs(rows), solution(rows);
	viennacl::copy(host, matrix);
	viennacl::copy(b, rhs);

	viennacl::linalg::cg_tag tag(1e-8, 300);
	solution = viennacl::linalg::solve(matrix, rhs, tag);
	viennacl::copy(solution, x);

	double residual = relative_residual(host, x, b);
	std::printf("cg of %zu rows: %u iterations, residual %.3e, digest %016llx\n", rows,
		    static_cast<unsigned int>(tag.iters()), residual, static_cast<unsigned long long>(digest(x)));
	return residual < 1e-7 ? 0 : 1;
}
