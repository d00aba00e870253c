//! A tiny compiler for sums and products, made with Cranelift, whose functions are compiled when they are first called and
//! compiled anew while they are in use.
//!
//! # Safety
//! Calls what it compiles, as functions of the type that it compiles them to.
#![allow(unsafe_code)]

use cranelift_codegen::ir::{AbiParam, InstBuilder, types::I64};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_module::{Linkage, Module, default_libcall_names};
use cranelift_object::{ObjectBuilder, ObjectModule};
use jitlink::lazy::{DataRule, LazyReexport, LazyReexports, ReplaceableObjects};
use jitlink::session::{Jit, JitSymbolFlags, Materialized, ObjectBuffer};
use std::error::Error;

/// A function of `x`: `a * x + b`.
#[derive(Clone, Copy)]
struct Line {
    a: i64,
    b: i64,
}

/// Compiles a function to an object file.
fn compile(name: &str, line: Line) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut flags = settings::builder();
    flags.set("is_pic", "true")?;
    let isa = cranelift_native::builder()?.finish(settings::Flags::new(flags))?;
    let mut module = ObjectModule::new(ObjectBuilder::new(isa, name, default_libcall_names())?);
    let mut context = module.make_context();
    context.func.signature.params.push(AbiParam::new(I64));
    context.func.signature.returns.push(AbiParam::new(I64));
    let function = module.declare_function(name, Linkage::Export, &context.func.signature)?;
    let mut memory = FunctionBuilderContext::new();
    let mut builder = FunctionBuilder::new(&mut context.func, &mut memory);
    let block = builder.create_block();
    builder.append_block_params_for_function_params(block);
    builder.switch_to_block(block);
    builder.seal_block(block);
    let x = builder.block_params(block)[0];
    let product = builder.ins().imul_imm_s(x, line.a);
    let sum = builder.ins().iadd_imm_s(product, line.b);
    builder.ins().return_(&[sum]);
    builder.finalize(module.isa().frontend_config());
    module.define_function(function, &mut context)?;
    Ok(module.finish().emit()?)
}

type Function = extern "C" fn(i64) -> i64;

fn main() -> Result<(), Box<dyn Error>> {
    // Compiled when it is first called: the entry `lazy` is there before anything is compiled.
    let jit = Jit::new()?;
    let bodies = jit.create_dylib("bodies")?;
    bodies.define_with("the compiler", [("lazy", JitSymbolFlags::FUNCTION)], |request| {
        println!("compiling {}", String::from_utf8_lossy(&request.wanted()[0]));
        let object = compile("lazy", Line { a: 2, b: 1 });
        let object = object.map_err(|error| jitlink::base::Error::invalid(error.to_string(), None))?;
        Ok(Materialized::object(ObjectBuffer::new("lazy.o", object)))
    })?;
    LazyReexports::default().define(jit.main(), None, &bodies, &[LazyReexport::function(b"lazy")])?;
    // SAFETY: the entry leads to a function of that type.
    let lazy = unsafe { jit.get::<Function>("lazy")? };
    println!("the entry is there; nothing is compiled yet");
    println!("lazy(20) = {}", lazy(20));
    assert_eq!(lazy(20), 41);

    // Compiled anew while it is in use.
    let hot = ReplaceableObjects::new(jit.main());
    hot.add(&ObjectBuffer::new("hot.o", compile("hot", Line { a: 3, b: 0 })?))?;
    // SAFETY: as above.
    let function = unsafe { jit.get::<Function>("hot")? };
    println!("hot(7) = {}", function(7));
    assert_eq!(function(7), 21);
    hot.replace(&ObjectBuffer::new("hot.o", compile("hot", Line { a: 6, b: 0 })?), DataRule::Keep)?;
    println!("hot(7) = {} in its second version", function(7));
    assert_eq!(function(7), 42);
    // SAFETY: this is the only thread, and it is in none of these functions.
    let removed = unsafe { hot.free_old_versions("hot.o")? };
    assert_eq!(removed.freed, 1);
    Ok(())
}
