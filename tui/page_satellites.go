package tui

import (
	"context"
	"fmt"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"decenter/engine/api"
)

// satellitesPage lists the constellation.
type satellitesPage struct {
	pageBase
	all []api.Satellite
}

func (p *satellitesPage) command() string    { return "satellites" }
func (p *satellitesPage) every() int         { return 2 }
func (p *satellitesPage) rows() (*list, int) { return &p.lst, len(p.all) }

func (p *satellitesPage) load(m *Model) tea.Cmd {
	svc := m.svc
	return m.ask(p, func(ctx context.Context) (any, error) { return svc.Satellites(ctx) })
}

func (p *satellitesPage) answer(_ *Model, v any) {
	var was string
	if p.lst.sel >= 0 && p.lst.sel < len(p.all) {
		was = p.all[p.lst.sel].ID
	}
	r := v.(api.SatellitesReply)
	p.all, p.refused, p.lst.sel = r.Satellites, r.Refused, -1
	for i := range p.all {
		if was != "" && p.all[i].ID == was {
			p.lst.sel = i
		}
	}
}

func (p *satellitesPage) event(_ *Model, e api.Event) {
	for i := range p.all {
		if e.Node != nil && p.all[i].ID == e.Node.ID {
			p.all[i] = *e.Node
		}
	}
}

func (p *satellitesPage) enter(m *Model) tea.Cmd {
	if p.lst.sel < 0 || p.lst.sel >= len(p.all) {
		return nil
	}
	n := p.all[p.lst.sel]
	return m.open(&itemPage{item: api.Item{Kind: api.KindSatellite, Name: n.Name, State: string(n.State), Satellite: n.Name, Node: &n}})
}

var satelliteColumns = []column{
	{title: "SATELLITE", min: 8, max: 24},
	{title: "STATE", min: 10, max: 10},
	{title: "VMS", min: 5, max: 7, right: true, drop: 1},
	{title: "LOAD", min: 14, max: 22, drop: 2},
	{title: "MEMORY USED", min: 18, max: 28, drop: 3},
	{title: "ADDRESS", min: 12, max: 26, drop: 4},
	{title: "RUNS BY", min: 7, max: 14, drop: 5},
	{title: "UP", min: 4, max: 4, right: true, drop: 6},
	{title: "VERSION", min: 7, max: 16, drop: 7},
}

func (p *satellitesPage) draw(m *Model, w, h int) []string {
	if !p.ready {
		return p.waiting(m)
	}
	out := m.refusedLines(p.refused, w, h)
	h -= len(out)
	var below []string
	if i := slices.IndexFunc(p.all, func(n api.Satellite) bool { return n.State == api.SatelliteStranger }); i >= 0 && h > 8 {
		below = append([]string{""}, wrap(p.all[i].Name+" on "+p.all[i].Address+" is a stranger: nobody admitted it, and nothing is forwarded for it. "+
			"If it is yours, see there what decenter engine --fingerprint tells, and then: admit SHA256:…", w, 4)...)
	}
	out = append(out, p.lst.draw(m.theme, satelliteColumns, len(p.all), w, h-len(below), func(i int) []field {
		n, t := &p.all[i], m.theme
		state, style := t.state(string(n.State))
		f := []field{{n.Name, t.plain}, {state, style}}
		if n.State == api.SatelliteStranger {
			return append(f, field{}, field{}, field{}, field{n.Address, t.plain}, field{}, field{}, field{})
		}
		if n.State == api.SatelliteFailed || n.State == api.SatelliteLeft {
			return append(f, field{}, field{}, field{}, field{n.Address, t.dim}, field{}, field{}, field{n.Version, t.dim})
		}
		used := n.Memory - min(n.MemoryFree, n.Memory)
		return append(f,
			field{fmt.Sprintf("%d/%d", n.Running, n.VMs), t.plain},
			field{fmt.Sprintf("%s %.1f/%d", bar(n.Load, float64(n.CPUs), 6), n.Load, n.CPUs), t.plain},
			field{size(used) + " of " + size(n.Memory), t.plain},
			field{n.Address, t.plain}, field{accelName(n.Accel), t.dim},
			field{span(time.Duration(n.Uptime) * time.Second), t.dim}, field{n.Version, t.dim})
	})...)
	return append(out, below...)
}
