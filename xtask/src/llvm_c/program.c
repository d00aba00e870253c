// Builds a function with the LLVM-C API, has it optimised and prints it, then compiles it for this machine and prints that.
// With the argument "start" it says when main was reached and does no more.
#include <llvm-c/Analysis.h>
#include <llvm-c/Core.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

// long sum(long n) { long s = 0; for (long i = 0; i < n; i++) s += i * i; return s; }, with variables in memory.
static LLVMModuleRef build(void) {
    LLVMModuleRef module = LLVMModuleCreateWithName("sum");
    LLVMTypeRef number = LLVMInt64Type();
    LLVMTypeRef type = LLVMFunctionType(number, &number, 1, 0);
    LLVMValueRef function = LLVMAddFunction(module, "sum", type);
    LLVMBasicBlockRef entry = LLVMAppendBasicBlock(function, "entry");
    LLVMBasicBlockRef head = LLVMAppendBasicBlock(function, "head");
    LLVMBasicBlockRef body = LLVMAppendBasicBlock(function, "body");
    LLVMBasicBlockRef end = LLVMAppendBasicBlock(function, "end");
    LLVMBuilderRef builder = LLVMCreateBuilder();
    LLVMPositionBuilderAtEnd(builder, entry);
    LLVMValueRef i = LLVMBuildAlloca(builder, number, "i"), s = LLVMBuildAlloca(builder, number, "s");
    LLVMBuildStore(builder, LLVMConstInt(number, 0, 0), i);
    LLVMBuildStore(builder, LLVMConstInt(number, 0, 0), s);
    LLVMBuildBr(builder, head);
    LLVMPositionBuilderAtEnd(builder, head);
    LLVMValueRef at = LLVMBuildLoad2(builder, number, i, "at");
    LLVMBuildCondBr(builder, LLVMBuildICmp(builder, LLVMIntSLT, at, LLVMGetParam(function, 0), "more"), body, end);
    LLVMPositionBuilderAtEnd(builder, body);
    LLVMValueRef square = LLVMBuildMul(builder, at, at, "square");
    LLVMBuildStore(builder, LLVMBuildAdd(builder, LLVMBuildLoad2(builder, number, s, "s"), square, "more"), s);
    LLVMBuildStore(builder, LLVMBuildAdd(builder, at, LLVMConstInt(number, 1, 0), "next"), i);
    LLVMBuildBr(builder, head);
    LLVMPositionBuilderAtEnd(builder, end);
    LLVMBuildRet(builder, LLVMBuildLoad2(builder, number, s, "result"));
    LLVMDisposeBuilder(builder);
    return module;
}

static void print(LLVMModuleRef module) {
    char *text = LLVMPrintModuleToString(module);
    puts(text);
    LLVMDisposeMessage(text);
}

static int fail(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    return 1;
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "start") == 0) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        printf("%lld\n", now.tv_sec * 1000000000LL + now.tv_nsec);
        return 0;
    }
    char *error = NULL;
    LLVMModuleRef module = build();
    if (LLVMVerifyModule(module, LLVMReturnStatusAction, &error)) return fail("verify", error);
    print(module);
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMTargetRef target;
    const char *triple = "x86_64-unknown-linux-gnu";
    if (LLVMGetTargetFromTriple(triple, &target, &error)) return fail("target", error);
    LLVMTargetMachineRef machine = LLVMCreateTargetMachine(
        target, triple, "x86-64", "", LLVMCodeGenLevelDefault, LLVMRelocPIC, LLVMCodeModelDefault);
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef failed = LLVMRunPasses(module, "default<O2>", machine, options);
    if (failed) return fail("optimise", LLVMGetErrorMessage(failed));
    print(module);
    LLVMMemoryBufferRef code;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, module, LLVMAssemblyFile, &error, &code)) return fail("compile", error);
    fwrite(LLVMGetBufferStart(code), 1, LLVMGetBufferSize(code), stdout);
    LLVMDisposeMemoryBuffer(code);
    LLVMDisposePassBuilderOptions(options);
    LLVMDisposeTargetMachine(machine);
    LLVMDisposeModule(module);
    return 0;
}
