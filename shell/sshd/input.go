package sshd

import (
	"io"
	"slices"
	"sync"
)

// maxWaiting bounds what is typed ahead, in bytes. Beyond it the client's own window fills.
const maxWaiting = 64 << 10

const ctrlC = 3

// input is a session's input with one reader at a time: a Read that begins while another waits takes its
// place, and the older one gets io.EOF. So whoever reads last has the keyboard, and a reader that was left
// waiting (the console's, when a command takes over) steals no key.
type input struct {
	mu        sync.Mutex
	change    sync.Cond // of anything below
	waiting   []byte    // at most maxWaiting, and one read more
	err       error     // why no more comes
	turn      uint64    // of the newest Read
	interrupt func()    // for a Ctrl-C that nobody reads; nil: Ctrl-C is a byte
}

// newInput reads r until it ends or the input is closed and one more byte comes.
func newInput(r io.Reader) *input {
	in := &input{}
	in.change.L = &in.mu
	go in.pump(r)
	return in
}

func (in *input) pump(r io.Reader) {
	b := make([]byte, 4096)
	for {
		n, err := r.Read(b)
		if !in.arrived(b[:n], err) {
			return
		}
	}
}

// arrived takes bytes in, and tells whether more are wanted.
func (in *input) arrived(b []byte, err error) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.interrupt != nil && slices.Contains(b, ctrlC) {
		in.interrupt()
		// What was typed before was meant for what is interrupted.
		b = b[slices.Index(b, ctrlC)+1:]
		in.waiting = nil
	}
	in.waiting = append(in.waiting, b...)
	if err != nil && in.err == nil {
		in.err = err
	}
	in.change.Broadcast()
	for len(in.waiting) >= maxWaiting && in.err == nil {
		in.change.Wait()
	}
	return in.err == nil
}

// Read waits for input. It takes over from any other Read, and takes Ctrl-C for a byte from now on.
func (in *input) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.interrupt = nil
	in.turn++
	mine := in.turn
	in.change.Broadcast()
	for len(in.waiting) == 0 && in.err == nil && in.turn == mine {
		in.change.Wait()
	}
	if in.turn != mine {
		return 0, io.EOF
	}
	if len(in.waiting) > 0 {
		n := copy(b, in.waiting)
		in.waiting = slices.Delete(in.waiting, 0, n)
		in.change.Broadcast()
		return n, nil
	}
	return 0, in.err
}

// onInterrupt says what a Ctrl-C does until something reads; nil makes it a byte. fn must not block.
func (in *input) onInterrupt(fn func()) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.interrupt = fn
}

// close ends all reads.
func (in *input) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err == nil {
		in.err = io.EOF
	}
	in.waiting = nil
	in.change.Broadcast()
}
