package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"decenter/engine/api"
)

// Status is a satellite as the lab knows it.
type Status struct {
	Satellite string `json:"satellite"`
	State     string `json:"state"`            // on, frozen, off
	Engine    int    `json:"engine,omitempty"` // its process number inside; 0: not running
	Holder    int    `json:"holder,omitempty"` // process number on this machine
	SSH       int    `json:"ssh,omitempty"`    // port on 127.0.0.1
	Socket    string `json:"socket"`
	// Fingerprint is its id, by which an owner admits it; empty where its key cannot be read.
	Fingerprint string   `json:"fingerprint,omitempty"`
	Cables      []string `json:"cables"` // to whom; with "!" while cut, "?" while silent
}

// Status tells every satellite, in order.
func (l *Lab) Status(ctx context.Context) []Status {
	var all []Status
	for _, name := range l.Topology.Satellites {
		s := Status{Satellite: name, State: "off", Socket: l.paths(name).socket(), Fingerprint: l.paths(name).fingerprint(), Cables: []string{}}
		if h, ok := l.Holders[name]; ok && h.Process.Alive() {
			s.State, s.Holder, s.SSH = "on", h.Process.PID, h.SSH
			if a, err := l.paths(name).tell(ctx, order{Do: "status"}); err == nil {
				s.Engine = a.Engine
				if a.Frozen {
					s.State = "frozen"
				}
			}
		}
		for _, c := range l.Topology.Cables {
			other := ""
			switch name {
			case c.A:
				other = c.B
			case c.B:
				other = c.A
			default:
				continue
			}
			s.Cables = append(s.Cables, other+map[CableState]string{CableCut: "!", CableSilent: "?"}[l.Cables[c.key()]])
		}
		all = append(all, s)
	}
	return all
}

// find is a satellite that is on.
func (l *Lab) find(name string) (Holder, error) {
	if !slices.Contains(l.Topology.Satellites, name) {
		return Holder{}, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no satellite %q in this lab", name),
			Hint: fmt.Sprintf("use s1 to s%d", len(l.Topology.Satellites))}
	}
	h, ok := l.Holders[name]
	if !ok || !h.Process.Alive() {
		return Holder{}, &api.Error{Code: api.CodeConflict, Message: name + " is off", Hint: say(l.Dir, "satellite start "+name)}
	}
	return h, nil
}

// Kill cuts a satellite's power: every process of it ends at once, its kernel forgets everything, its cables go dead at
// the other ends too; its disk stays.
func (l *Lab) Kill(name string) error {
	h, err := l.find(name)
	if err != nil {
		return err
	}
	return errors.Join(l.unplug(name), h.Process.kill(), l.dropNS(name), l.lay(name))
}

// Start switches a satellite on, or its engine where only that is down.
func (l *Lab) Start(ctx context.Context, name string, ready func(ctx context.Context, socket string) error) error {
	if h, err := l.find(name); err == nil {
		if _, err := l.paths(name).tell(ctx, order{Do: "engine-start"}); err != nil {
			return fmt.Errorf("start the engine of %s (process %d): %w", name, h.Process.PID, err)
		}
	} else if api.CodeOf(err) == api.CodeNotFound {
		return err
	} else {
		if err := l.switchOn(name); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, readyWait, errors.New("not ready within "+readyWait.String()))
	defer cancel()
	return l.answers(ctx, name, ready)
}

// KillEngine ends the engine alone by SIGKILL; restart says whether it is started again after a second.
func (l *Lab) KillEngine(ctx context.Context, name string, restart bool) error {
	if _, err := l.find(name); err != nil {
		return err
	}
	do := "engine-kill"
	if restart {
		do = "engine-restart"
	}
	_, err := l.paths(name).tell(ctx, order{Do: do})
	return err
}

// Freeze stops (SIGSTOP) everything of a satellite but its holder and its kernel, at one moment; thaw lets it go on.
func (l *Lab) Freeze(ctx context.Context, name string, freeze bool) error {
	if _, err := l.find(name); err != nil {
		return err
	}
	do := "thaw"
	if freeze {
		do = "freeze"
	}
	_, err := l.paths(name).tell(ctx, order{Do: do})
	return err
}

// SetCable makes every cable between two satellites whole, cut or silent.
func (l *Lab) SetCable(a, b string, state CableState) error {
	found := false
	for _, c := range l.Topology.Cables {
		if c.A == a && c.B == b || c.A == b && c.B == a {
			found = true
			if l.Cables[c.key()] = state; state == CableWhole {
				delete(l.Cables, c.key())
			}
		}
	}
	if !found {
		return &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no cable joins %s and %s", a, b), Hint: say(l.Dir, "status") + " lists them"}
	}
	if err := l.save(); err != nil {
		return err
	}
	return l.lay(a)
}
