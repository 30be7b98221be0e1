"""What an error of Azure Blob means for the person who reads it: one line each, with the next action. No request here.

Azure's own messages run over several lines and tell the caller of the API what to do, not the owner of an archive;
they stay as the cause, since Azure's support asks for the request's number.
"""

from __future__ import annotations

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

_SIGN_IN = (
    "the account refuses the sign-in ({code}); check AL_STORAGE_KEY or AL_STORAGE_SAS_TOKEN, when the token ends, "
    "and this machine's clock"
)
_RIGHTS = (
    "the sign-in lacks the right ({code}); give the identity the role Storage Blob Data Contributor, or make a "
    "token with read, write, delete and list"
)
_LATER = "the storage account is busy ({code}); run it again later"

_ADVICE = {
    "AuthenticationFailed": _SIGN_IN,
    "InvalidAuthenticationInfo": _SIGN_IN,
    "NoAuthenticationInformation": _SIGN_IN,
    # The firewall of Azure answers with this, and Azurite does where the key is wrong.
    "AuthorizationFailure": "the account refuses this machine or its key ({code}); let the machine through the "
    "account's firewall, or correct AL_STORAGE_KEY or AL_STORAGE_SAS_TOKEN",
    "AuthorizationSourceIPMismatch": "the token is not for this machine's address ({code}); make another one",
    "AuthorizationProtocolMismatch": "the token is for https only ({code}); correct AL_STORAGE_ACCOUNT_URL",
    "AuthorizationPermissionMismatch": _RIGHTS,
    "AuthorizationResourceTypeMismatch": _RIGHTS,
    "AuthorizationServiceMismatch": _RIGHTS,
    "InsufficientAccountPermissions": _RIGHTS,
    "KeyBasedAuthenticationNotPermitted": "the account refuses keys ({code}); unset AL_STORAGE_KEY and sign in "
    "with `az login` or a managed identity",
    "PublicAccessNotPermitted": "the container is not public ({code}); set AL_STORAGE_KEY or AL_STORAGE_SAS_TOKEN",
    "ResourceNotFound": "it is not there, or not for this sign-in ({code}); check AL_STORAGE_URL and the credential",
    "AccountIsDisabled": "the storage account is disabled ({code}); ask its owner",
    "ContainerBeingDeleted": "the container is being deleted ({code}); correct AL_STORAGE_URL",
    "ConditionNotMet": "it was replaced meanwhile ({code}); read it again",
    "BlobArchived": "it lies in the archive tier ({code}); move it to the hot or cool tier and wait for that",
    "BlobImmutableDueToPolicy": "a policy of the container forbids changes ({code}); use another container",
    "ServerBusy": _LATER,
    "OperationTimedOut": _LATER,
    "InternalError": _LATER,
}


def code_of(error: AzureError) -> str:
    """Azure's error code, such as BlobNotFound; empty where the error came without one."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


def explain(error: AzureError, host: str) -> str:
    """One line on what went wrong and what to do. host: the storage account's, named where it does not answer."""
    code = code_of(error)
    if code in _ADVICE:
        return _ADVICE[code].format(code=code)
    if isinstance(error, ClientAuthenticationError):
        # Raised on this side: azure-identity found nobody signed in, or the key is no key.
        return (
            "there is no valid sign-in; set AL_STORAGE_KEY or AL_STORAGE_SAS_TOKEN, or sign in with `az login` or a "
            "managed identity"
        )
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        return f"{host} does not answer; check AL_STORAGE_ACCOUNT_URL and the network"
    status = error.status_code if isinstance(error, HttpResponseError) else None
    return f"the storage account answers {code or status or type(error).__name__}; see its diagnostics"
