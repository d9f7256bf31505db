// Package kvmprobe finds out whether KVM really runs a guest on this machine.
//
// That /dev/kvm exists and opens proves little: under some hypervisors a trivial guest runs and a stock kernel hangs in
// its first second. So a whole guest is started once with QEMU and KVM, directly, and has to say a line on its serial
// port in time:
//
//	no /dev/kvm, or it does not open ──────────────────────────────▶ tcg   (not remembered: costs nothing)
//	remembered for this very machine, kernel, QEMU, guest and boot ─▶ as remembered
//	else run: the line came ───────────────────────────────────────▶ kvm   (remembered)
//	          QEMU ended, or the time was over ─────────────────────▶ tcg   (remembered)
//	          we were told to stop ────────────────────────────────▶ tcg   (not remembered)
//
// The verdict lies in one JSON file; it is valid while its key is equal: kernel release, processor model, QEMU version,
// the guest image's size and time, and the boot id, since a hypervisor below may change with each boot.
package kvmprobe
