//! The PKCS#11 entry points of kryoptic, a token in software, as a library that a test can load.
//!
//! `kryoptic-lib` has the functions; only a `cdylib` can export them under the names that the standard fixes.

use kryoptic_lib::fns::general::{fn_get_function_list, fn_get_interface, fn_get_interface_list};
use kryoptic_lib::pkcs11::{CK_FLAGS, CK_FUNCTION_LIST, CK_INTERFACE, CK_RV, CK_ULONG, CK_UTF8CHAR, CK_VERSION};

/// The functions of PKCS#11 2.40.
#[unsafe(no_mangle)]
pub extern "C" fn C_GetFunctionList(function_list: *mut *mut CK_FUNCTION_LIST) -> CK_RV {
    fn_get_function_list(function_list)
}

/// Every interface there is: 2.40, 3.0 and 3.2.
#[unsafe(no_mangle)]
pub extern "C" fn C_GetInterfaceList(interfaces: *mut CK_INTERFACE, count: *mut CK_ULONG) -> CK_RV {
    fn_get_interface_list(interfaces, count)
}

/// One interface, by name and version.
#[unsafe(no_mangle)]
pub extern "C" fn C_GetInterface(
    name: *mut CK_UTF8CHAR,
    version: *mut CK_VERSION,
    interface: *mut *mut CK_INTERFACE,
    flags: CK_FLAGS,
) -> CK_RV {
    fn_get_interface(name, version, interface, flags)
}
