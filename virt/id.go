package virt

import (
	"encoding/hex"
	"fmt"
	"io"
)

// ID names one VM for ever: a random UUID (RFC 9562 section 5.4, version 4), minted on the satellite where the VM
// was created, without asking anyone. The zero ID is no VM.
type ID [16]byte

// NewID takes 16 bytes from random, which is crypto/rand.Reader outside of tests.
func NewID(random io.Reader) (ID, error) {
	var id ID
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return ID{}, fmt.Errorf("mint a VM's id: %w", err)
	}
	id[6] = id[6]&0x0f | 0x40 // version 4
	id[8] = id[8]&0x3f | 0x80 // variant of RFC 9562
	return id, nil
}

// ParseID reads the canonical form, 8-4-4-4-12 hex digits in either case. It takes any version, since a VM from
// elsewhere keeps its id, but not the zero ID.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, &FieldError{Field: "id", Value: s, Hint: "a UUID has 8-4-4-4-12 hex digits"}
	}
	digits := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil {
		return ID{}, &FieldError{Field: "id", Value: s, Hint: "a UUID has 8-4-4-4-12 hex digits"}
	}
	if id.IsZero() {
		return ID{}, &FieldError{Field: "id", Value: s, Hint: "the zero UUID names no VM"}
	}
	return id, nil
}

// String gives the canonical form in lower case.
func (id ID) String() string {
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// IsZero tells whether id names no VM.
func (id ID) IsZero() bool { return id == ID{} }
