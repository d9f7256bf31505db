package engine

import (
	"errors"

	"decenter/engine/api"
	"decenter/virt"
)

var kinds = []struct {
	is   error
	code api.Code
}{
	{virt.ErrNotFound, api.CodeNotFound},
	{virt.ErrExists, api.CodeExists},
	{virt.ErrConflict, api.CodeConflict},
	{virt.ErrInvalid, api.CodeInvalid},
	{virt.ErrUnavailable, api.CodeUnavailable},
	{virt.ErrExhausted, api.CodeExhausted},
}

// apiError gives an adapter's error the code that callers branch on.
func apiError(err error) error {
	var own *api.Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	for _, k := range kinds {
		if errors.Is(err, k.is) {
			return &api.Error{Code: k.code, Message: err.Error()}
		}
	}
	return &api.Error{Code: api.CodeOf(err), Message: err.Error()}
}
