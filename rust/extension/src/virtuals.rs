//! The virtuals that the engine calls for every packet, without what gdext does around each call.
//!
//! gdext hands a virtual either a borrowed object, which two threads at once must not do, or a `Gd` of it, for which it asks the
//! engine by name whether the object is of its class. That costs a tenth of a microsecond, twice for each packet that
//! `SceneMultiplayer` sends. GDExtension itself passes an address that gdext has chosen, by which the state is found at once.
//! So the library stands between gdext and the engine where classes are registered, and answers for the virtuals of its tables
//! itself; gdext answers for the others.

use std::{
    ffi::c_void,
    sync::{Arc, OnceLock},
};

use godot::builtin::StringName;
use godot::sys;

use crate::{first_calls, report::fence, state_table::StateTable};

/// A virtual as GDExtension calls it: the object's address at gdext, pointers to its arguments, and where the result goes.
pub(crate) type Virtual = unsafe extern "C" fn(
    sys::GDExtensionClassInstancePtr,
    *const sys::GDExtensionConstTypePtr,
    sys::GDExtensionTypePtr,
);

/// A class that answers for some of its virtuals itself.
pub(crate) trait OwnVirtuals {
    /// What its calls work on.
    type State: 'static;

    /// Names with the underscore, as the engine asks for them.
    const VIRTUALS: &'static [(&'static str, Virtual)];

    /// gdext's function for the others.
    fn others() -> &'static OnceLock<sys::GDExtensionClassGetVirtual>;

    /// States by the objects' addresses.
    fn by_address() -> &'static StateTable<Self::State>;

    /// The state of an object that is called for the first time; its end has to forget the address.
    ///
    /// # Safety
    /// The address is gdext's of a live object of this class.
    unsafe fn first_call(address: sys::GDExtensionClassInstancePtr) -> Arc<Self::State>;
}

/// What a call was passed.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    instance: sys::GDExtensionClassInstancePtr,
    arguments: *const sys::GDExtensionConstTypePtr,
    result: sys::GDExtensionTypePtr,
}

impl Call {
    /// # Safety
    /// What GDExtension passes to a virtual, for as long as it runs.
    pub(crate) unsafe fn new(
        instance: sys::GDExtensionClassInstancePtr,
        arguments: *const sys::GDExtensionConstTypePtr,
        result: sys::GDExtensionTypePtr,
    ) -> Self {
        Self { instance, arguments, result }
    }

    /// The argument at `index`, which is passed as a `T`: an integer and an enum as 8 bytes, a bool as one, a pointer as itself.
    ///
    /// # Safety
    /// The virtual has such an argument.
    pub(crate) unsafe fn argument<T: Copy>(self, index: usize) -> T {
        // SAFETY: the caller's promise.
        unsafe { *(*self.arguments.add(index)).cast::<T>() }
    }

    /// Answers with an integer or an enum.
    ///
    /// # Safety
    /// The virtual returns one.
    pub(crate) unsafe fn answer(self, result: i64) {
        // SAFETY: the caller's promise.
        unsafe { self.result.cast::<i64>().write(result) };
    }

    /// # Safety
    /// The virtual returns a bool.
    pub(crate) unsafe fn answer_bool(self, result: bool) {
        // SAFETY: the caller's promise.
        unsafe { self.result.cast::<u8>().write(result.into()) };
    }

    /// Runs `body` with the object's state, which outlives the call; `idle` stands for a call that is to do nothing, and for
    /// one that has met a bug.
    ///
    /// # Safety
    /// The object is a `C`.
    pub(crate) unsafe fn run<C: OwnVirtuals, R>(self, idle: R, body: impl FnOnce(&Arc<C::State>) -> R) -> R {
        if first_calls::are_made() {
            return idle;
        }
        // SAFETY: the caller's promise.
        unsafe { self.work::<C, R>(idle, body) }
    }

    /// The same where the caller knows that it is no first call.
    ///
    /// # Safety
    /// As there.
    pub(crate) unsafe fn work<C: OwnVirtuals, R>(
        self,
        on_bug: R,
        body: impl FnOnce(&Arc<C::State>) -> R,
    ) -> R {
        fence(on_bug, || {
            // SAFETY: the caller's promise; it lives as long as it is called.
            let first_call = || unsafe { C::first_call(self.instance) };
            body(&C::by_address().find(key_of_address(self.instance), first_call))
        })
    }
}

/// The key of an object in a table of addresses.
pub(crate) fn key_of_address(address: sys::GDExtensionClassInstancePtr) -> u64 {
    address as u64
}

/// Has the class answer for its virtuals, in what gdext is about to register for it.
pub(crate) fn take_over<C: OwnVirtuals>(info: &mut sys::GDExtensionClassCreationInfo3) {
    _ = C::others().set(info.get_virtual_func);
    info.get_virtual_func = Some(get_virtual::<C>);
}

/// The engine asks once for each virtual of each object.
///
/// # Safety
/// For the engine only: the name is a live `StringName`.
unsafe extern "C" fn get_virtual<C: OwnVirtuals>(
    class: *mut c_void,
    name: sys::GDExtensionConstStringNamePtr,
) -> sys::GDExtensionClassCallVirtual {
    // SAFETY: the caller's promise.
    let asked_for = unsafe { &*name.cast::<StringName>() }.to_string();
    if let Some((_, own)) = C::VIRTUALS.iter().find(|(name, _)| *name == asked_for) {
        return Some(*own);
    }
    // SAFETY: gdext's function, called as the engine would.
    C::others().get().copied().flatten().and_then(|others| unsafe { others(class, name) })
}
