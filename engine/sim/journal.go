package sim

import (
	"fmt"
	"time"
)

// journal keeps what happened, for the reader of a failure. A nil journal keeps nothing.
type journal struct {
	lines  []string
	frames map[int32][]string
}

const journalLen = 4000

func (j *journal) add(now time.Duration, format string, args ...any) {
	if j == nil || len(j.lines) >= journalLen {
		return
	}
	j.lines = append(j.lines, fmt.Sprintf("%12v  ", now)+fmt.Sprintf(format, args...))
}

func (j *journal) frame(now time.Duration, packet int32, format string, args ...any) {
	if j == nil {
		return
	}
	if j.frames == nil {
		j.frames = map[int32][]string{}
	}
	j.frames[packet] = append(j.frames[packet], fmt.Sprintf("%12v  frame %d ", now, packet)+fmt.Sprintf(format, args...))
}

// about gives all lines, and the way of one packet.
func (j *journal) about(packet int32) []string { return append(j.lines, j.frames[packet]...) }
