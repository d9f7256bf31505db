package api

import (
	"fmt"
	"regexp"
	"strings"
)

// CreateRequest asks for a VM.
type CreateRequest struct {
	Name      string `json:"name"`
	From      string `json:"from"`                // a spacesuit's name
	CPU       int    `json:"cpu,omitempty"`       // 0: one
	Memory    uint64 `json:"memory,omitempty"`    // bytes; 0: DefaultMemory
	Disk      uint64 `json:"disk,omitempty"`      // bytes; 0: the spacesuit's
	Satellite string `json:"satellite,omitempty"` // where; empty: the asked one, or one that has the spacesuit
	Stopped   bool   `json:"stopped,omitempty"`   // leave it stopped
}

// The limits of a request, and its defaults.
const (
	DefaultMemory = 192 << 20
	MinMemory     = 64 << 20
	MaxMemory     = 16 << 40
	MaxCPU        = 1024
	MaxName       = 63
)

var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// CheckName tells what is wrong with the name of a VM, spacesuit or satellite: a DNS label (RFC 1123 section
// 2.1) in lower case, of at most MaxName characters.
func CheckName(name string) error {
	if nameForm.MatchString(name) {
		return nil
	}
	hint := "use lower-case letters, digits and inner hyphens, at most 63 in all"
	if low := strings.ToLower(name); low != name && nameForm.MatchString(low) {
		hint = fmt.Sprintf("use %q", low)
	}
	return &Error{Code: CodeInvalid, Message: fmt.Sprintf("%q is not a name", name), Hint: hint}
}

// Check tells what is wrong with the request, before anything is done.
func (r CreateRequest) Check() error {
	if err := CheckName(r.Name); err != nil {
		return err
	}
	if r.From == "" {
		return &Error{Code: CodeInvalid, Message: "create needs a spacesuit", Hint: "add from:NAME; `spacesuit` alone searches for them"}
	}
	if err := CheckName(r.From); err != nil {
		return err
	}
	if r.Satellite != "" {
		if err := CheckName(r.Satellite); err != nil {
			return err
		}
	}
	if r.CPU < 0 || r.CPU > MaxCPU {
		return &Error{Code: CodeInvalid, Message: fmt.Sprintf("cpu:%d is out of range", r.CPU), Hint: fmt.Sprintf("use 1 to %d", MaxCPU)}
	}
	if r.Memory != 0 && (r.Memory < MinMemory || r.Memory > MaxMemory) {
		return &Error{Code: CodeInvalid, Message: fmt.Sprintf("memory of %d bytes is out of range", r.Memory), Hint: "use 64MiB to 16TiB"}
	}
	return nil
}

// Act is what Control does to a VM.
type Act string

// The acts. Stop asks the guest to power off and, after Force or a grace period, ends it.
const (
	ActStart  Act = "start"
	ActStop   Act = "stop"
	ActPause  Act = "pause"
	ActResume Act = "resume"
	ActReset  Act = "reset"
)

// ControlRequest changes a VM's state.
type ControlRequest struct {
	VM    string `json:"vm"` // name or id
	Act   Act    `json:"act"`
	Force bool   `json:"force,omitempty"` // stop at once, without asking the guest
}

// DeleteRequest removes a VM.
type DeleteRequest struct {
	VM      string `json:"vm"`      // name or id
	Confirm string `json:"confirm"` // the VM's name
}

// MaxPriority is the highest root priority of the satellite tree, IEEE 802.1D's 16 bits. The lowest (priority, id) is root.
const MaxPriority = 65535

// TreePriorityRequest changes a satellite's wish to be root of the tree.
type TreePriorityRequest struct {
	Satellite string `json:"satellite"`          // name or fingerprint
	Priority  *int   `json:"priority,omitempty"` // 0 to MaxPriority, lower wins; nil: what its configuration says, again
}

// Check tells what is wrong with the request, before anything is done.
func (r TreePriorityRequest) Check() error {
	switch {
	case r.Satellite == "":
		return &Error{Code: CodeInvalid, Message: "a satellite's name is missing", Hint: "`satellites` lists them"}
	case r.Priority != nil && (*r.Priority < 0 || *r.Priority > MaxPriority):
		return &Error{Code: CodeInvalid, Message: fmt.Sprintf("priority %d is out of range", *r.Priority),
			Hint: fmt.Sprintf("use 0 to %d; the lowest becomes root", MaxPriority)}
	}
	return nil
}

// JobsRequest asks for jobs.
type JobsRequest struct {
	ID string `json:"id,omitempty"`
}

// EventsRequest asks for events.
type EventsRequest struct {
	Job string `json:"job,omitempty"`
}
