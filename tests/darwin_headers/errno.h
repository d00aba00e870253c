#pragma once
#ifdef __cplusplus
extern "C"
#endif
int *__error(void);
#define errno (*__error())
#define ENOENT 2
#define EINTR 4
#define EBADF 9
#define EDEADLK 11
#define ENOMEM 12
#define EEXIST 17
#define EINVAL 22
#define EAGAIN 35
#define EWOULDBLOCK EAGAIN
#define EDOM 33
#define ERANGE 34
