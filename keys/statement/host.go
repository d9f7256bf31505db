package statement

// HostExtension is the extension of an SSH host certificate (OpenSSH PROTOCOL.certkeys) whose data is a signed admission
// of the satellite that offers the certificate, as Text gives it. The certificate is signed by the satellite's own key:
// it proves nothing by itself, and the owner's signature inside is what counts.
const HostExtension = "admission@decenter"
