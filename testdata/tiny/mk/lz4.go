package main

import (
	"encoding/binary"
	"errors"
)

var errLZ4 = errors.New("LZ4 data is damaged")

// unlz4 decompresses the blocks of an LZ4 "legacy frame" behind its magic number, at most limit bytes: each block is its
// compressed length in four bytes and LZ4 block data (lz4_Frame_format.md and lz4_Block_format.md of the lz4 project).
func unlz4(in []byte, limit int) ([]byte, error) {
	out := make([]byte, 0, limit)
	for len(in) > 0 {
		if len(in) < 4 {
			return nil, errLZ4
		}
		n := binary.LittleEndian.Uint32(in)
		in = in[4:]
		if uint64(n) > uint64(len(in)) {
			return nil, errLZ4
		}
		var err error
		if out, err = lz4Block(out, in[:n], limit); err != nil {
			return nil, err
		}
		in = in[n:]
	}
	return out, nil
}

// lz4Block appends what one block holds. A block's matches reach back into that block alone.
func lz4Block(out, in []byte, limit int) ([]byte, error) {
	start := len(out)
	// length continues a 4-bit length that is 15 with bytes up to one below 255.
	length := func(n int) (int, bool) {
		if n < 15 {
			return n, true
		}
		for len(in) > 0 {
			b := in[0]
			in = in[1:]
			if n += int(b); b != 255 {
				return n, true
			}
		}
		return 0, false
	}
	for len(in) > 0 {
		token := in[0]
		in = in[1:]
		n, ok := length(int(token >> 4))
		if !ok || n > len(in) || len(out)+n > limit {
			return nil, errLZ4
		}
		out = append(out, in[:n]...)
		in = in[n:]
		if len(in) == 0 {
			break // the last sequence has no match
		}
		if len(in) < 2 {
			return nil, errLZ4
		}
		back := int(binary.LittleEndian.Uint16(in))
		in = in[2:]
		if n, ok = length(int(token & 15)); !ok {
			return nil, errLZ4
		}
		n += 4
		from := len(out) - back
		if back == 0 || from < start || len(out)+n > limit {
			return nil, errLZ4
		}
		for i := range n { // byte by byte: a match may overlap what it makes
			out = append(out, out[from+i])
		}
	}
	return out, nil
}
