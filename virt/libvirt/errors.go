package libvirt

import (
	"context"
	"errors"
	"fmt"
	"strings"

	lv "libvirt.org/go/libvirt"

	"decenter/virt"
)

// fail wraps err as what went wrong when doing op to object. A context's error keeps being that.
func fail(op, object string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s %s: %w", op, object, err)
	}
	var e lv.Error
	if errors.As(err, &e) { // its own Error() is for programmers; an operator gets the message
		return &virt.Error{Op: op, Object: object, Kind: kindOf(e), Err: errors.New(e.Message)}
	}
	for _, k := range []error{virt.ErrNotFound, virt.ErrExists, virt.ErrConflict, virt.ErrInvalid, virt.ErrUnavailable, virt.ErrExhausted} {
		if errors.Is(err, k) {
			return &virt.Error{Op: op, Object: object, Kind: k, Err: err}
		}
	}
	return &virt.Error{Op: op, Object: object, Kind: virt.ErrFailed, Err: err}
}

// kindOf finds virt's kind for libvirt's code, and for the few messages that say more than their code.
func kindOf(e lv.Error) error {
	switch e.Code {
	case lv.ERR_NO_DOMAIN:
		return virt.ErrNotFound
	case lv.ERR_DOM_EXIST:
		return virt.ErrExists
	case lv.ERR_OPERATION_INVALID:
		return virt.ErrConflict
	case lv.ERR_XML_ERROR, lv.ERR_XML_DETAIL, lv.ERR_XML_INVALID_SCHEMA, lv.ERR_CONFIG_UNSUPPORTED, lv.ERR_INVALID_ARG, lv.ERR_INVALID_MAC:
		return virt.ErrInvalid
	case lv.ERR_NO_MEMORY:
		return virt.ErrExhausted
	case lv.ERR_OPERATION_TIMEOUT, lv.ERR_NO_CONNECT, lv.ERR_INVALID_CONN, lv.ERR_RPC, lv.ERR_AUTH_FAILED, lv.ERR_AUTH_UNAVAILABLE,
		lv.ERR_AGENT_UNRESPONSIVE, lv.ERR_AGENT_UNSYNCED, lv.ERR_AGENT_COMMAND_TIMEOUT:
		return virt.ErrUnavailable
	}
	switch {
	case strings.Contains(e.Message, "already exists with uuid"):
		return virt.ErrExists
	case strings.Contains(e.Message, "annot allocate memory"), strings.Contains(e.Message, "No space left on device"):
		return virt.ErrExhausted
	case e.Domain == lv.FROM_RPC: // the connection broke under the call
		return virt.ErrUnavailable
	}
	return virt.ErrFailed
}
