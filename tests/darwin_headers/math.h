#pragma once
#ifdef __cplusplus
extern "C" {
#endif
#define HUGE_VAL __builtin_huge_val()
#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")
#define isnan(x) __builtin_isnan(x)
#define isinf(x) __builtin_isinf(x)
#define M_PI 3.14159265358979323846
double acos(double), asin(double), atan(double), atan2(double, double), ceil(double), cos(double), cosh(double),
    exp(double), fabs(double), floor(double), fmod(double, double), frexp(double, int *), ldexp(double, int),
    log(double), log10(double), log2(double), modf(double, double *), pow(double, double), sin(double), sinh(double),
    sqrt(double), tan(double), tanh(double), cbrt(double), hypot(double, double), round(double);
float sinf(float), cosf(float), sqrtf(float), powf(float, float), expf(float);
long double sinl(long double), cosl(long double), sqrtl(long double), powl(long double, long double),
    fabsl(long double), frexpl(long double, int *);
double __sinpi(double), __cospi(double), __exp10(double);
#ifdef __cplusplus
}
#endif
