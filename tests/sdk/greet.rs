// The plugin "greet" in Rust, without a crate: greet.c tells what it does. The types repeat abi.h.
use std::ffi::c_void;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Str {
    ptr: *const u8,
    len: u64,
}

impl Str {
    const fn new(text: &'static str) -> Str {
        Str { ptr: text.as_ptr(), len: text.len() as u64 }
    }
    // Lives as long as what it was made from: nothing here outlives the call.
    fn of(text: &str) -> Str {
        Str { ptr: text.as_ptr(), len: text.len() as u64 }
    }
    unsafe fn text<'a>(self) -> &'a str {
        if self.len == 0 {
            return "";
        }
        std::str::from_utf8_unchecked(std::slice::from_raw_parts(self.ptr, self.len as usize))
    }
}

// The union's text only: this plugin uses no other kind of value.
#[repr(C)]
pub struct Value {
    kind: u32,
    reserved: u32,
    text: Str,
}

const TEXT: u32 = 4;

#[repr(C)]
pub struct Command {
    struct_size: u32,
    attempt: u32,
    attempts_max: u32,
    reserved: u32,
    kind: Str,
    id: Str,
    body: Str,
    correlation_id: Str,
    traceparent: Str,
    timestamp_us: i64,
    document: *const c_void,
}

#[repr(C)]
pub struct Core {
    struct_size: u32,
    minor: u32,
    command_get: unsafe extern "C" fn(*const Command, Str, *mut Value) -> i32,
    command_decimal: unsafe extern "C" fn(*const Command, Str, u32, *mut i64) -> i32,
    plan_lock: unsafe extern "C" fn(*mut c_void, Str) -> i32,
    plan_fail: unsafe extern "C" fn(*mut c_void, Str, Str) -> i32,
    fail: unsafe extern "C" fn(*mut c_void, Str, Str) -> i32,
    query: unsafe extern "C" fn(*mut c_void, Str, *const Value, u32, *mut *mut c_void) -> i32,
    execute: unsafe extern "C" fn(*mut c_void, Str, *const Value, u32) -> i32,
    row_next: unsafe extern "C" fn(*mut c_void, *mut *const Value, *mut u32) -> i32,
    emit: unsafe extern "C" fn(*mut c_void, Str, Str) -> i32,
}

#[repr(C)]
pub struct Host {
    struct_size: u32,
    abi_major: u32,
    abi_minor: u32,
    reserved: u32,
    version: Str,
    core: *const Core,
}

#[repr(C)]
pub struct CommandType {
    struct_size: u32,
    flags: u32,
    kind: Str,
    schema: Str,
    create: unsafe extern "C" fn(*const Host, *mut *mut c_void) -> i32,
    destroy: unsafe extern "C" fn(*mut c_void),
    plan: unsafe extern "C" fn(*mut c_void, *const Command, *mut c_void) -> i32,
    handle: unsafe extern "C" fn(*mut c_void, *const Command, *mut c_void) -> i32,
}

#[repr(C)]
pub struct Plugin {
    struct_size: u32,
    abi_major: u32,
    abi_minor_least: u32,
    abi_minor_built: u32,
    name: Str,
    version: Str,
    commands: *const &'static CommandType,
    command_count: u32,
    reserved: u32,
    init: usize,
    shutdown: usize,
    get_extension: usize,
}

unsafe impl Sync for CommandType {}
unsafe impl Sync for Plugin {}

const DONE: i32 = 0;
const REJECT: i32 = 100;
const FATAL: i32 = 300;
const INVALID: i32 = 400;
const OUT_OF_MEMORY: i32 = -5;

struct Greeter {
    core: *const Core,
    greeted: i64,
}

// What a call of the host said no to: it has kept the reason.
struct HostRefused;

fn checked(code: i32) -> Result<i32, HostRefused> {
    if code < 0 { Err(HostRefused) } else { Ok(code) }
}

impl Greeter {
    unsafe fn name<'a>(&self, command: *const Command) -> Result<&'a str, HostRefused> {
        let mut value = Value { kind: 0, reserved: 0, text: Str::new("") };
        checked(((*self.core).command_get)(command, Str::new("name"), &mut value))?;
        Ok(value.text.text())
    }

    unsafe fn plan(&self, command: *const Command, plan: *mut c_void) -> Result<i32, HostRefused> {
        let core = &*self.core;
        let name = self.name(command)?;
        if name == "nobody" {
            (core.plan_fail)(plan, Str::new("schema"), Str::new("nobody is not greeted"));
            return Ok(INVALID);
        }
        let key = format!("greet:{}", name);
        checked((core.plan_lock)(plan, Str::of(&key)))?;
        Ok(DONE)
    }

    unsafe fn handle(&mut self, command: *const Command, context: *mut c_void) -> Result<i32, HostRefused> {
        let core = &*self.core;
        let name = self.name(command)?;
        if name == "fault" {
            panic!("a fault of the handler");
        }
        let argument = Value { kind: TEXT, reserved: 0, text: Str::of(name) };
        let mut rows = ptr::null_mut();
        let select = Str::new("SELECT name FROM greeted WHERE name = $1");
        checked((core.query)(context, select, &argument, 1, &mut rows))?;
        let (mut columns, mut count) = (ptr::null(), 0);
        if checked((core.row_next)(rows, &mut columns, &mut count))? == 1 {
            (core.fail)(context, Str::new("already_greeted"), Str::new("one greeting is enough"));
            return Ok(REJECT);
        }
        let insert = Str::new("INSERT INTO greeted (name) VALUES ($1)");
        checked((core.execute)(context, insert, &argument, 1))?;
        self.greeted += 1;
        let data = format!("{{\"name\":\"{}\",\"greeted\":{}}}", name, self.greeted);
        checked((core.emit)(context, Str::new("test.greeted"), Str::of(&data)))?;
        Ok(DONE)
    }
}

// A panic must not cross into the host.
fn guarded(call: impl FnOnce() -> Result<i32, HostRefused>) -> i32 {
    match panic::catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(HostRefused)) | Err(_) => FATAL,
    }
}

unsafe extern "C" fn create(host: *const Host, handler: *mut *mut c_void) -> i32 {
    let core = (*host).core;
    match panic::catch_unwind(|| Box::into_raw(Box::new(Greeter { core, greeted: 0 }))) {
        Ok(greeter) => {
            *handler = greeter.cast();
            0
        }
        Err(_) => OUT_OF_MEMORY,
    }
}

unsafe extern "C" fn destroy(handler: *mut c_void) {
    drop(Box::from_raw(handler.cast::<Greeter>()));
}

unsafe extern "C" fn plan(handler: *mut c_void, command: *const Command, plan: *mut c_void) -> i32 {
    guarded(|| (*handler.cast::<Greeter>()).plan(command, plan))
}

unsafe extern "C" fn handle(handler: *mut c_void, command: *const Command, context: *mut c_void) -> i32 {
    guarded(|| (*handler.cast::<Greeter>()).handle(command, context))
}

static GREET: CommandType = CommandType {
    struct_size: std::mem::size_of::<CommandType>() as u32,
    flags: 0,
    kind: Str::new("test.greet"),
    schema: Str::new(
        "{\"required\":[\"name\"],\"properties\":{\"name\":{\"type\":\"string\",\"maxLength\":200}}}",
    ),
    create,
    destroy,
    plan,
    handle,
};
static COMMANDS: [&CommandType; 1] = [&GREET];
static PLUGIN: Plugin = Plugin {
    struct_size: std::mem::size_of::<Plugin>() as u32,
    abi_major: 1,
    abi_minor_least: 0,
    abi_minor_built: 0,
    name: Str::new("greet"),
    version: Str::new("1.0.0"),
    commands: COMMANDS.as_ptr(),
    command_count: 1,
    reserved: 0,
    init: 0,
    shutdown: 0,
    get_extension: 0,
};

#[no_mangle]
pub extern "C" fn iq_plugin_v1() -> *const Plugin {
    &PLUGIN
}
