package rpc

import (
	"encoding/json"
	"errors"
	"fmt"
)

// budget is how many objects and array elements a message may have. Both decode to structs, of at most 400 bytes each with the
// slack of a growing slice; all else decodes to about as many bytes as it has.
type budget int

const (
	// maxReply lets api.MaxItems VMs pass, each with an item, a VM, two disks, two network cards and eight addresses, which
	// have 190,000 parts. The worst message that passes takes 160 MB, garbage on the way included.
	maxReply budget = 300_000
	// maxAsked is for what somebody typed.
	maxAsked budget = 4096
	// maxDepth is of nested objects and arrays; the api's own go half as deep.
	maxDepth = 16
)

var errDeep = errors.New("the message nests too deeply")

// check counts, without judging whether b is JSON: the decoder does that.
func (most budget) check(b []byte) error {
	var inArray [maxDepth + 1]bool
	depth, count := 0, budget(0)
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if depth == maxDepth {
				return errDeep
			}
			depth++
			inArray[depth] = b[i] == '['
			count++
		case '}', ']':
			depth = max(0, depth-1)
		case ',':
			if inArray[depth] {
				count++
			}
		}
		if count > most {
			return fmt.Errorf("the message has more than %d parts", most)
		}
	}
	return nil
}

// codec is JSON of the standard library in place of protobuf's.
type codec struct{ most budget }

func (codec) Name() string                        { return "json" }
func (codec) Marshal(v any) ([]byte, error)       { return json.Marshal(v) }
func (codec) IsBinary() bool                      { return false }
func (codec) MarshalStable(v any) ([]byte, error) { return json.Marshal(v) }

func (c codec) Unmarshal(b []byte, v any) error {
	if err := c.most.check(b); err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}
