package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"decenter/engine/api"
	"decenter/engine/authz"
	"decenter/engine/radar"
)

// TreePriority is of api.Service: this satellite's own.
func (l local) TreePriority(ctx context.Context, r api.TreePriorityRequest) (api.TreePriority, error) {
	if err := r.Check(); err != nil {
		return api.TreePriority{}, err
	}
	var p *uint16
	what := "priority of the configuration"
	if r.Priority != nil {
		n := uint16(*r.Priority)
		p, what = &n, fmt.Sprintf("priority %d", n)
	}
	if _, err := l.enter(ctx, authz.Set, authz.Object{Kind: api.KindSatellite, Satellite: l.e.cfg.Name}, what); err != nil {
		return api.TreePriority{}, err
	}
	set, err := l.e.cfg.Fabric.SetPriority(ctx, p)
	set.Satellite = l.e.cfg.Name
	return set, apiError(err)
}

// TreePriority has the named satellite set it.
func (c constellation) TreePriority(ctx context.Context, r api.TreePriorityRequest) (api.TreePriority, error) {
	if err := r.Check(); err != nil {
		return api.TreePriority{}, err
	}
	m, err := c.member(r.Satellite)
	if err != nil {
		return api.TreePriority{}, err
	}
	s, err := c.at(m)
	if err != nil {
		return api.TreePriority{}, apiError(err)
	}
	asked, cancel := context.WithTimeout(ctx, setWait)
	defer cancel()
	set, err := s.TreePriority(asked, r)
	if err != nil && errors.Is(asked.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
		return api.TreePriority{}, &api.Error{Code: api.CodeUnavailable, Message: m.Name + " does not answer, and may or may not do it", Hint: "`tree` tells"}
	}
	return set, apiError(err)
}

// member finds a satellite that can be asked, by name or fingerprint.
func (c constellation) member(ref string) (radar.Member, error) {
	found := slices.DeleteFunc(c.e.cfg.Radar.Members(), func(m radar.Member) bool { return m.Name != ref && m.ID != ref })
	live := slices.DeleteFunc(slices.Clone(found), func(m radar.Member) bool { return m.State != api.SatelliteLive })
	switch {
	case len(live) == 1:
		return live[0], nil
	case len(live) > 1:
		return radar.Member{}, &api.Error{Code: api.CodeAmbiguous, Message: fmt.Sprintf("%d satellites are named %q", len(live), ref),
			Hint: "use the fingerprint: `satellites --json` shows it"}
	case len(found) > 0:
		return radar.Member{}, &api.Error{Code: api.CodeUnavailable, Message: fmt.Sprintf("%s is not live but %s", found[0].Name, found[0].State),
			Hint: "`satellites` tells when it is back"}
	}
	return radar.Member{}, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no satellite %q", ref), Hint: "`satellites` lists them"}
}
