"""What pyVmomi raises, as the four faults of the ports, in words for a person."""

import ssl

from pyVmomi import vim, vmodl

from thermo_guard.core.plant import Trouble
from thermo_guard.ports import Ambiguous, Fault, Refused, Transient, Unauthorized

from .wire import AnswerLostError, NotSentError

RAISED = (NotSentError, AnswerLostError, vmodl.MethodFault, OSError)
"""All that a call through a Wire can raise for what the server did or did not do."""

_PASSING = (
    vmodl.fault.HostCommunication,
    vmodl.fault.SystemError,
    vim.fault.TaskInProgress,
    vim.fault.ConcurrentAccess,
    vim.fault.ResourceInUse,
    vim.fault.Timedout,
    vim.fault.NotAuthenticated,
)
"""Faults that pass: a host that is not connected, a busy object, a service that is starting."""


def fault_of(error: Exception, at: str, *, is_act: bool) -> Fault:
    """Translate an error of a call; `at` names the server for people.

    A lost answer is Ambiguous for an act and Transient for a look, which can be repeated.
    """
    match error:
        case Fault():
            return error
        case ssl.SSLCertVerificationError():
            return Refused(
                f"{at}: its certificate is not trusted ({error.verify_message}). Nothing was sent to it. Trust this "
                "certificate with `thermo-guard pin`, or give the CA that signed it as a file"
            ).of(Trouble.UNTRUSTED)
        case AnswerLostError():
            text = f"{at}: the answer was lost: {error}"
            return Ambiguous(f"{text}; it may have been done") if is_act else Transient(text)
        case NotSentError() | OSError():
            return Transient(f"{at} cannot be reached: {error}")
        case vmodl.MethodFault():
            return _of_server(error, at)
    raise TypeError(f"not an error of a call: {error!r}") from error


def _of_server(error: vmodl.MethodFault, at: str) -> Fault:
    if isinstance(error, _PASSING):
        return Transient(f"{at}: {words(error)}")
    if isinstance(error, vim.fault.NoPermission):
        return Unauthorized(f"{at}: the account lacks the privilege {privilege_of(error)}")
    if isinstance(error, vim.fault.InvalidLogin):
        return Unauthorized(f"{at} refuses the user name or the password")
    if isinstance(error, vmodl.fault.ManagedObjectNotFound):
        return Transient(f"{at}: the object is not there any more: {words(error)}")
    return Refused(f"{at}: {words(error)}")


def words(error: vmodl.MethodFault) -> str:
    """Say a fault as its class and the server's own message."""
    name = type(error).__name__.rsplit(".", 1)[-1]
    told = [str(getattr(error, "msg", None) or "")]
    told += [str(m.message) for m in error.faultMessage or () if m.message]
    reason = getattr(error, "reason", None)
    told += [str(reason)] if reason else []
    return ": ".join([name, *dict.fromkeys(text.strip() for text in told if text.strip())])


def privilege_of(error: vim.fault.NoPermission) -> str:
    """Name the privilege, from whichever of its two fields the server fills."""
    named = [error.privilegeId] if error.privilegeId else []
    named += [p for lacking in getattr(error, "missingPrivileges", None) or () for p in lacking.privilegeIds]
    return ", ".join(dict.fromkeys(named)) or "(unnamed)"
