package radar

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/hashicorp/memberlist"
)

// doorkeeper keeps satellites that are not admitted out of memberlist: what is gossiped of them is not believed.
type doorkeeper struct{ r *Radar }

// NotifyAlive is of memberlist.AliveDelegate.
func (d doorkeeper) NotifyAlive(n *memberlist.Node) error {
	if d.r.admitted(n.Name) {
		return nil
	}
	return fmt.Errorf("%q is not admitted", n.Name)
}

func (r *Radar) admitted(id string) bool {
	return id == r.cfg.ID || r.cfg.Admitted == nil || r.cfg.Admitted(id)
}

// Recheck tells the radar that Admitted may say something else than before: members that are not admitted any more are
// forgotten, at once and by all who hear of it, and those admitted since are looked for. It does not wait.
//
// A satellite that was forgotten while it lived comes back only after gossip has missed it, which the change of keys that
// goes with an ejection brings about within some seconds.
func (r *Radar) Recheck() {
	select {
	case r.recheck <- struct{}{}:
	default:
	}
}

// rechecks is apart from what reads Serf's events, which must not wait for members that do not answer.
func (r *Radar) rechecks(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.recheck:
			r.forget()
		}
	}
}

// syncWith bounds the members asked for all they know after Recheck.
const syncWith = 2

// forget removes the members that are not admitted, and asks others for what was not believed before.
func (r *Radar) forget() {
	defer r.notify()
	for _, m := range r.serf.Members() {
		if r.admitted(m.Name) {
			continue
		}
		r.cfg.Log.Info("radar: forget a satellite that is not admitted", "satellite", m.Tags["n"], "id", m.Name)
		if err := r.serf.RemoveFailedNodePrune(m.Name); err != nil {
			r.cfg.Log.Debug("radar: forget", "id", m.Name, "err", err)
		}
	}
	var ask []netip.Addr
	for _, m := range r.Peers() {
		if ask = append(ask, m.Addr.Addr()); len(ask) == syncWith {
			break
		}
	}
	if _, err := r.Join(ask); err != nil {
		r.cfg.Log.Debug("radar: ask members anew", "err", err)
	}
}
