// Multi-head attention over bfloat16 rows, float32 inside. A vector holds 16 queries of one head, so the softmax needs
// no sum across lanes; keys and values are broadcast. Vector extensions of GCC and Clang: no AVX-512 needed to compile.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace {
constexpr int L = 16;
typedef float vec __attribute__((vector_size(64)));
typedef int32_t ivec __attribute__((vector_size(64)));
typedef uint32_t uvec __attribute__((vector_size(64)));
typedef uint16_t hvec __attribute__((vector_size(32)));
using half = uint16_t;
using Buffer = std::vector<vec>;  // aligned: operator new of C++17 knows the alignment of vec

inline vec load(const half* p, int count) {
  hvec h = {};
  count >= L ? std::memcpy(&h, p, sizeof h) : std::memcpy(&h, p, count * sizeof(half));
  return (vec)(__builtin_convertvector(h, uvec) << 16);
}

inline void store(half* p, vec x, int count) {
  uvec u = (uvec)x;
  hvec h = __builtin_convertvector((u + 0x7fffu + ((u >> 16) & 1u)) >> 16, hvec);  // round to nearest even
  count >= L ? std::memcpy(p, &h, sizeof h) : std::memcpy(p, &h, count * sizeof(half));
}

inline vec larger(vec a, vec b) { return a > b ? a : b; }

inline vec exp2_of(vec x) {  // x <= 0
  x = larger(x, vec{} - 126.0f);
  ivec whole = __builtin_convertvector(x - 0.5f, ivec);
  vec f = x - __builtin_convertvector(whole, vec);
  vec y = ((((f * 1.3333558e-3f + 9.6181291e-3f) * f + 5.5504109e-2f) * f + 0.24022651f) * f + 0.69314718f) * f + 1.0f;
  return (vec)((ivec)y + (whole << 23));
}

template <int S>
inline void swap_blocks(vec* r) {
  for (int i = 0; i < L; i++) {
    if (i & S) continue;
    vec a = r[i], b = r[i + S];
#ifdef __clang__
    for (int l = 0; l < L; l++) r[i][l] = l & S ? b[l - S] : a[l], r[i + S][l] = l & S ? b[l] : a[l + S];
#else
    ivec lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, odd = (lane & S) != 0;
    r[i] = __builtin_shuffle(a, b, odd ? lane + L - S : lane);
    r[i + S] = __builtin_shuffle(a, b, odd ? lane + L : lane + S);
#endif
  }
}

inline void transpose(vec* r) { swap_blocks<8>(r), swap_blocks<4>(r), swap_blocks<2>(r), swap_blocks<1>(r); }

// out[j] (+)= sum over t < T of a[j][t] * r[t]; the rows of a and out lie lda and ldo vectors apart
template <int T, bool ADD>
inline void combine(vec* __restrict out, int ldo, const vec* __restrict a, int lda, const vec* __restrict rows, int n) {
  vec r[T];
  for (int t = 0; t < T; t++) r[t] = rows[t];
  auto some = [&](auto count, int j) {
    constexpr int J = decltype(count)::value;
    vec sum[J];
    const float* from[J];
    for (int u = 0; u < J; u++) {
      sum[u] = ADD ? out[(j + u) * ldo] : vec{};
      from[u] = (const float*)(a + (j + u) * lda);
    }
#pragma GCC unroll 16
    for (int t = 0; t < T; t++)
#pragma GCC unroll 8
      for (int u = 0; u < J; u++) sum[u] += from[u][t] * r[t];
    for (int u = 0; u < J; u++) out[(j + u) * ldo] = sum[u];
  };
  int j = 0;
  for (; j + 8 <= n; j += 8) some(std::integral_constant<int, 8>(), j);
  for (; j < n; j++) some(std::integral_constant<int, 1>(), j);
}

// out[t] = sum over j of p[j] * a[j][t]
inline void gather(vec* __restrict out, const vec* __restrict p, const vec* __restrict a, int lda, int n) {
  vec sum[L] = {};
  for (int j = 0; j < n; j++) {
    const float* row = (const float*)(a + j * lda);
    vec x = p[j];
#pragma GCC unroll 16
    for (int t = 0; t < L; t++) sum[t] += x * row[t];
  }
  for (int t = 0; t < L; t++) out[t] = sum[t];
}

struct View {  // [batch, rows, heads * width] with any stride between rows
  half* data;
  int64_t batch, row;
  explicit View(const at::Tensor& t)
      : data((half*)t.data_ptr()), batch(t.stride(0)), row(t.stride(1)) {
    TORCH_CHECK(t.scalar_type() == at::kBFloat16 && t.dim() == 3 && t.stride(2) == 1 && t.is_cpu());
  }
};

struct Head {
  int n, m, width, chunks;  // keys, queries, head width, vectors a row of a head takes
  int64_t b, at;            // image, first column
  void read(vec* to, const View& v, int first, int count) const {
    for (int j = 0; j < count; j++)
      for (int c = 0; c < chunks; c++)
        to[j * chunks + c] = load(v.data + b * v.batch + (first + j) * v.row + at + c * L, width - c * L);
  }
  void write(const View& v, const vec* from, int step, int first, int count, int c) const {
    for (int j = 0; j < count; j++)
      store(v.data + b * v.batch + (first + j) * v.row + at + c * L, from[j * step], width - c * L);
  }
  // 16 rows from `first` on, as they are and with queries in the lanes, chunk after chunk; rows beyond the last are zero
  void read_block(vec* rows, vec* turned, const View& v, int first) const {
    for (int c = 0; c < chunks; c++) {
      for (int i = 0; i < L; i++)
        rows[c * L + i] = first + i < m ? load(v.data + b * v.batch + (first + i) * v.row + at + c * L, width - c * L) : vec{};
      for (int i = 0; i < L; i++) turned[c * L + i] = rows[c * L + i];
      transpose(turned + c * L);
    }
  }
  void dots(vec* out, const vec* a, const vec* turned, int count) const {
    combine<L, false>(out, 1, a, chunks, turned, count);
    for (int c = 1; c < chunks; c++) combine<L, true>(out, 1, a + c, chunks, turned + c * L, count);
  }
};

void mask(vec* s, int first, int count) {
  for (int j = first + 1; j < count; j++)
    for (int i = 0; i < j - first; i++) s[j][i] = -1e30f;
}

template <class Body>
void each_head(const at::Tensor& q, const at::Tensor& k, int64_t heads, const Body& body) {
  int width = q.size(2) / heads;
  at::parallel_for(0, q.size(0), 1, [&](int64_t begin, int64_t end) {
    std::vector<Buffer> work(6, Buffer(k.size(1) * ((width + L - 1) / L)));
    for (int64_t b = begin; b < end; b++)
      for (int64_t h = 0; h < heads; h++)
        body(Head{(int)k.size(1), (int)q.size(1), width, (width + L - 1) / L, b, h * width}, b * heads + h, work);
  });
}

// stats: for each image and head the largest score of a query (base 2) and one over its sum, for queries padded to 16
std::tuple<at::Tensor, at::Tensor> forward(at::Tensor q, at::Tensor k, at::Tensor v, int64_t heads, bool causal) {
  int blocks = (q.size(1) + L - 1) / L;
  auto out = at::empty({q.size(0), q.size(1), q.size(2)}, q.options());
  auto stats = at::empty({q.size(0), heads, blocks, 2, L}, q.options().dtype(at::kFloat));
  View Q(q), K(k), V(v), O(out);
  float* kept = stats.data_ptr<float>();
  each_head(q, k, heads, [&](const Head& x, int64_t index, std::vector<Buffer>& work) {
    vec *key = work[0].data(), *value = work[1].data(), *s = work[2].data();
    vec rows[4 * L], turned[4 * L];
    float scale = M_LOG2E / std::sqrt((float)x.width);
    x.read(key, K, 0, x.n), x.read(value, V, 0, x.n);
    for (int block = 0; block < blocks; block++) {
      int first = block * L, used = std::min(L, x.m - first), count = causal ? std::min(x.n, first + L) : x.n;
      x.read_block(rows, turned, Q, first);
      for (int t = 0; t < x.chunks * L; t++) turned[t] *= scale;
      x.dots(s, key, turned, count);
      if (causal) mask(s, first, count);
      vec top = s[0], sum = {}, inverse = {};
      for (int j = 1; j < count; j++) top = larger(top, s[j]);
      for (int j = 0; j < count; j++) sum += s[j] = exp2_of(s[j] - top);
      for (int i = 0; i < used; i++) inverse[i] = 1.0f / sum[i];
      std::memcpy(kept + (index * blocks + block) * 2 * L, &top, sizeof top);
      std::memcpy(kept + (index * blocks + block) * 2 * L + L, &inverse, sizeof inverse);
      for (int c = 0; c < x.chunks; c++) {
        gather(rows, s, value + c, x.chunks, count);
        for (int t = 0; t < L; t++) rows[t] *= inverse;
        transpose(rows);
        x.write(O, rows, 1, first, used, c);
      }
    }
  });
  return {out, stats};
}

void backward(at::Tensor q, at::Tensor k, at::Tensor v, at::Tensor dout, at::Tensor stats, at::Tensor dq, at::Tensor dk,
              at::Tensor dv, int64_t heads, bool causal) {
  int blocks = (q.size(1) + L - 1) / L;
  View Q(q), K(k), V(v), dO(dout), dQ(dq), dK(dk), dV(dv);
  const float* kept = stats.data_ptr<float>();
  each_head(q, k, heads, [&](const Head& x, int64_t index, std::vector<Buffer>& work) {
    vec *key = work[0].data(), *value = work[1].data(), *s = work[2].data(), *ds = work[3].data();
    vec *dkey = work[4].data(), *dvalue = work[5].data();
    vec rows[4 * L], turned[4 * L], drows[4 * L], dturned[4 * L];
    float root = 1 / std::sqrt((float)x.width), scale = M_LOG2E * root;
    x.read(key, K, 0, x.n), x.read(value, V, 0, x.n);
    std::fill_n(dkey, x.n * x.chunks, vec{}), std::fill_n(dvalue, x.n * x.chunks, vec{});
    for (int block = 0; block < blocks; block++) {
      int first = block * L, used = std::min(L, x.m - first), count = causal ? std::min(x.n, first + L) : x.n;
      vec top, inverse, mean = {};
      std::memcpy(&top, kept + (index * blocks + block) * 2 * L, sizeof top);
      std::memcpy(&inverse, kept + (index * blocks + block) * 2 * L + L, sizeof inverse);
      x.read_block(rows, turned, Q, first), x.read_block(drows, dturned, dO, first);
      for (int t = 0; t < x.chunks * L; t++) turned[t] *= scale;
      x.dots(s, key, turned, count), x.dots(ds, value, dturned, count);
      if (causal) mask(s, first, count);
      for (int j = 0; j < count; j++) s[j] = exp2_of(s[j] - top) * inverse, mean += s[j] * ds[j];
      for (int j = 0; j < count; j++) ds[j] = s[j] * (ds[j] - mean) * root;
      for (int c = 0; c < x.chunks; c++) {
        auto sum = used == 1 ? combine<1, true> : combine<L, true>;  // one row is left over where n = 16 i + 1
        sum(dvalue + c, x.chunks, s, 1, drows + c * L, count), sum(dkey + c, x.chunks, ds, 1, rows + c * L, count);
        gather(turned, ds, key + c, x.chunks, count);
        transpose(turned);
        x.write(dQ, turned, 1, first, used, c);
      }
    }
    for (int c = 0; c < x.chunks; c++)
      x.write(dK, dkey + c, x.chunks, 0, x.n, c), x.write(dV, dvalue + c, x.chunks, 0, x.n, c);
  });
}
}  // namespace

TORCH_LIBRARY(toolkit_fused, m) {
  m.def("forward(Tensor q, Tensor k, Tensor v, int heads, bool causal) -> (Tensor, Tensor)", forward);
  m.def(
      "backward(Tensor q, Tensor k, Tensor v, Tensor dout, Tensor stats, Tensor(a!) dq, Tensor(b!) dk, Tensor(c!) dv, "
      "int heads, bool causal) -> ()",
      backward);
}
