package fabric

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"decenter/net/datapath"
	"decenter/net/tree"
)

const snapshotFile = "promises"

// Dice is the kernel's, for tree.Auth.
func Dice() (b [32]byte) {
	_, _ = rand.Read(b[:]) // it never fails: crypto/rand ends the program first
	return b
}

// apply does what the core decided, in the order of tree.Effects, and tells when to tick. An error is a gate that could not
// be shut, or promises that can be neither stored nor disowned: to go on would risk a loop.
func (f *Fabric) apply() (deadline time.Duration, err error) {
	e := f.core.Ready()
	for _, g := range e.Gates {
		if !g.Open { // all of them, whatever becomes of one
			err = errors.Join(err, f.shut(uint32(g.Port)))
		}
	}
	if err == nil && e.Changed {
		err = f.save()
	}
	if err != nil { // nothing was said since the promises that are stored: the next start may hold to them
		return 0, err
	}
	for _, t := range e.Send {
		f.send(t)
	}
	for _, g := range e.Gates {
		if g.Open {
			// A port that went away meanwhile stays shut; the core will hear so.
			if err := f.dp.SetGate(uint32(g.Port), true); err != nil {
				f.cfg.Log.Warn("gate does not open", "err", err)
			}
		}
	}
	if e.FlushLearned {
		if err := f.dp.Flush(); err != nil {
			f.cfg.Log.Warn("learned addresses are not forgotten; they age", "err", err)
		}
	}
	for _, ev := range e.Events {
		f.tell(ev)
	}
	if len(e.Gates)+len(e.Events) > 0 {
		f.tellChanged()
	}
	return e.Deadline, nil
}

// shut shuts a gate, or else takes the whole port out.
func (f *Fabric) shut(ifindex uint32) error {
	err := f.dp.SetGate(ifindex, false)
	if err == nil || errors.Is(err, datapath.ErrUnknownPort) {
		return nil
	}
	f.cfg.Log.Error("gate does not shut; the port is taken out", "err", err)
	if err := errors.Join(err, f.dp.Detach(ifindex)); err != nil {
		return fmt.Errorf("shut a gate: %w", err)
	}
	return nil
}

// save stores the core's promises whole. Where it cannot, there shall be none: the next start then begins anew. Where
// older ones stay, nobody may hear of the newer.
func (f *Fabric) save() error {
	path := filepath.Join(f.cfg.State, snapshotFile)
	err := writeWhole(path, f.core.Snapshot())
	if err == nil {
		return nil
	}
	f.cfg.Log.Warn("promises are not stored; the next start will shut every gate", "err", err)
	if gone := os.Remove(path); gone != nil && !errors.Is(gone, os.ErrNotExist) {
		return fmt.Errorf("promises can be neither stored nor removed: %w", errors.Join(err, gone))
	}
	return nil
}

// writeWhole replaces a file in one step. It outlives us, but need not outlive the machine: no sync.
func writeWhole(path string, b []byte) error {
	next := path + ".next"
	err := os.WriteFile(next, b, 0o600)
	if err == nil {
		err = os.Rename(next, path)
	}
	if err != nil {
		os.Remove(next) // it may take the space that is missing
	}
	return err
}

// send puts a control frame on its cable. One that fails is a lost frame; the core repeats what matters.
func (f *Fabric) send(t tree.Transmit) {
	p, ok := f.ports[uint32(t.Port)]
	if !ok {
		return
	}
	if err := p.packet.Send(t.Frame); err != nil {
		f.cfg.Log.Debug("control frame is lost", "port", p.link.Name, "err", err)
	}
}

// tell logs an event.
func (f *Fabric) tell(e tree.Event) {
	var attrs []any
	if p, ok := f.ports[uint32(e.Port)]; ok {
		attrs = append(attrs, "port", p.link.Name)
	}
	if !e.Neighbour.IsZero() {
		attrs = append(attrs, "satellite", e.Neighbour)
	}
	if e.Name != "" {
		attrs = append(attrs, "name", e.Name)
	}
	if e.Why != "" {
		attrs = append(attrs, "why", e.Why)
	}
	f.cfg.Log.Info("tree: "+string(e.Kind), attrs...)
}
