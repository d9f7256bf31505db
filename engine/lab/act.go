package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"decenter/engine/api"
)

// Status is a satellite as the lab knows it.
type Status struct {
	Satellite string   `json:"satellite"`
	State     string   `json:"state"`            // on, frozen, off
	Engine    int      `json:"engine,omitempty"` // its process number inside; 0: not running
	Holder    int      `json:"holder,omitempty"` // process number on this machine
	SSH       int      `json:"ssh,omitempty"`    // port on 127.0.0.1
	Socket    string   `json:"socket"`
	Cables    []string `json:"cables"` // to whom; with "!" while cut
}

// Status tells every satellite, in order.
func (l *Lab) Status(ctx context.Context) []Status {
	var all []Status
	for _, name := range l.Topology.Satellites {
		s := Status{Satellite: name, State: "off", Socket: l.paths(name).socket(), Cables: []string{}}
		if h, ok := l.Holders[name]; ok && h.Process.Alive() {
			s.State, s.Holder, s.SSH = "on", h.Process.PID, h.SSH
			if a, err := l.paths(name).tell(ctx, order{Do: "status"}); err == nil {
				s.Engine = a.Engine
			}
			if h.Process.stopped() {
				s.State = "frozen"
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
			if l.Cut[c.APort+c.A] {
				other += "!"
			}
			s.Cables = append(s.Cables, other)
		}
		all = append(all, s)
	}
	return all
}

// stopped tells whether the satellite's processes are frozen.
func (p Process) stopped() bool {
	pids, err := p.inside()
	if err != nil {
		return false
	}
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		if i := slices.Index(text, ')'); i > 0 && i+2 < len(text) && text[i+2] == 'T' {
			return true
		}
	}
	return false
}

// find is a satellite that is on.
func (l *Lab) find(name string) (Holder, error) {
	if !slices.Contains(l.Topology.Satellites, name) {
		return Holder{}, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no satellite %q in this lab", name),
			Hint: fmt.Sprintf("use s1 to s%d", len(l.Topology.Satellites))}
	}
	h, ok := l.Holders[name]
	if !ok || !h.Process.Alive() {
		return Holder{}, &api.Error{Code: api.CodeConflict, Message: name + " is off", Hint: "`decenter lab satellite start " + name + "`"}
	}
	return h, nil
}

// Kill cuts a satellite's power: every process of it ends at once, its cables go dead, its disk stays.
func (l *Lab) Kill(name string) error {
	h, err := l.find(name)
	if err != nil {
		return err
	}
	err = h.Process.kill(10 * time.Second)
	for _, c := range l.Topology.Cables {
		if c.A == name || c.B == name {
			err = errors.Join(err, c.set(false))
		}
	}
	return errors.Join(err, dropLocal(name, l.Topology))
}

// dropLocal removes the devices that a power cut would take: taps and the host port, all but the cables.
func dropLocal(name string, t Topology) error {
	h, err := handle(name)
	if err != nil {
		return err
	}
	defer h.Close()
	links, err := h.LinkList()
	if err != nil {
		return err
	}
	ports := []string{"lo"}
	for _, c := range t.Cables {
		if c.A == name {
			ports = append(ports, c.APort)
		}
		if c.B == name {
			ports = append(ports, c.BPort)
		}
	}
	for _, l := range links {
		if !slices.Contains(ports, l.Attrs().Name) {
			_ = h.LinkDel(l) // the other end of a pair may be gone with the first
		}
	}
	return nil
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
		for _, c := range l.Topology.Cables {
			other := l.Holders[c.A]
			if c.A == name {
				other = l.Holders[c.B]
			}
			if (c.A == name || c.B == name) && !l.Cut[c.APort+c.A] && other.Process.Alive() {
				if err := c.set(true); err != nil {
					return err
				}
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, readyWait)
	defer cancel()
	return ready(ctx, l.paths(name).socket())
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

// Signal freezes (SIGSTOP) or thaws (SIGCONT) everything of a satellite but its holder and its kernel.
func (l *Lab) Signal(name string, freeze bool) error {
	h, err := l.find(name)
	if err != nil {
		return err
	}
	sig := unix.SIGCONT
	if freeze {
		sig = unix.SIGSTOP
	}
	pids, err := h.Process.inside()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		err = errors.Join(err, ignoreGone(unix.Kill(pid, sig)))
	}
	return err
}

// SetCable cuts or mends every cable between two satellites.
func (l *Lab) SetCable(a, b string, up bool) error {
	found := false
	for _, c := range l.Topology.Cables {
		if c.A == a && c.B == b || c.A == b && c.B == a {
			found = true
			if err := c.set(up); err != nil {
				return err
			}
			l.Cut[c.APort+c.A] = !up
		}
	}
	if !found {
		return &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no cable joins %s and %s", a, b), Hint: "`decenter lab status` lists them"}
	}
	return l.save()
}

// Inside gives the command line that runs another one in all of a satellite's namespaces.
func (l *Lab) Inside(name string, args []string) ([]string, error) {
	h, err := l.find(name)
	if err != nil {
		return nil, err
	}
	return append([]string{"nsenter", "-t", strconv.Itoa(h.Process.PID), "-m", "-u", "-i", "-n", "-p", "--"}, args...), nil
}
