package tui

import (
	"context"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"decenter/engine/api"
)

// maxSamples is how many measurements of a VM's load are kept: six minutes.
const maxSamples = 180

// vmPage is one VM.
type vmPage struct {
	pageBase
	ref   string // name or id it is asked for by
	name  string
	vm    api.VM
	gone  bool
	meter meter
}

// meter is the processor load of a VM, from the differences of the time it used.
type meter struct {
	last   uint64 // nanoseconds used at the last measurement
	at     time.Time
	values []float64 // 0 to 1, of all its processors; newest last
}

// add takes a measurement. A counter that went back was of an earlier run.
func (l *meter) add(vm *api.VM, now time.Time) {
	elapsed := now.Sub(l.at)
	if !l.at.IsZero() && elapsed < heartbeat {
		return
	}
	if !l.at.IsZero() && vm.CPUTime >= l.last && vm.CPU > 0 {
		v := float64(vm.CPUTime-l.last) / float64(elapsed) / float64(vm.CPU)
		l.values = append(l.values, max(0, min(v, 1)))
		l.values = l.values[max(0, len(l.values)-maxSamples):]
	}
	l.last, l.at = vm.CPUTime, now
}

func (p *vmPage) command() string { return "vm name:" + word(p.name) }
func (p *vmPage) every() int      { return 2 }

func (p *vmPage) load(m *Model) tea.Cmd {
	if p.gone {
		return nil
	}
	svc := m.svc
	return m.ask(p, func(ctx context.Context) (any, error) { return svc.VM(ctx, p.ref) })
}

func (p *vmPage) answer(m *Model, v any) { p.take(m, v.(api.VM)) }

func (p *vmPage) take(m *Model, vm api.VM) {
	p.vm, p.ref, p.name = vm, vm.ID, vm.Name
	p.meter.add(&p.vm, m.opt.Now())
}

func (p *vmPage) event(m *Model, e api.Event) {
	if e.VM == nil || !p.ready || e.VM.ID != p.vm.ID {
		return
	}
	if p.gone = e.Gone; !p.gone {
		p.take(m, *e.VM)
	}
}

func (p *vmPage) draw(m *Model, w, h int) []string {
	switch {
	case p.gone:
		return []string{m.theme.bad.Render("✗ " + clean(p.name) + " is no more")}
	case !p.ready:
		return p.waiting(m)
	}
	out := m.vmBody(&p.vm, w, h)
	if p.err != nil && h > 4 {
		out = append(errorLines(m.theme, p.err, w)[:1], out...)
	}
	if len(p.meter.values) > 0 && len(out) > 1 {
		last := p.meter.values[len(p.meter.values)-1]
		line := m.label("load") + m.theme.good.Render(spark(p.meter.values, max(1, min(w-24, 60)))) + fmt.Sprintf(" %3.0f%%", last*100)
		out = append(out[:2:2], append([]string{line}, out[2:]...)...)
	}
	return out
}

// label is the left column of a page about one thing.
func (m *Model) label(s string) string { return m.theme.dim.Render(pad(s, 12)) }

// vmBody describes a VM, the most needed first.
func (m *Model) vmBody(vm *api.VM, w, h int) []string {
	state, style := m.theme.state(string(vm.State))
	now := m.opt.Now()
	add := func(out []string, name, value string) []string {
		return append(out, m.label(name)+cut(clean(value), max(1, w-12)))
	}
	out := []string{m.theme.name.Render(clean(vm.Name)) + "  " + style.Render(state) + m.theme.dim.Render(" on ") + clean(vm.Satellite)}
	out = add(out, "processors", fmt.Sprintf("%d × %s   memory %s", vm.CPU, accelName(vm.Accel), size(vm.Memory)))
	for i, n := range vm.NICs {
		text := n.MAC
		if len(n.Addresses) > 0 {
			text = strings.Join(n.Addresses, "  ") + "  " + n.MAC
		}
		out = add(out, fmt.Sprintf("network %d", i), text)
	}
	for _, d := range vm.Disks {
		line := fmt.Sprintf("%-5s %s  %s of %s", d.Name, bar(float64(d.Allocated), float64(d.Size), 10), size(d.Allocated), size(d.Size))
		out = add(out, "disk", line)
	}
	out = add(out, "made from", vm.From+"  "+age(now, vm.Created)+" ago, "+vm.Created.UTC().Format("2006-01-02 15:04:05")+" UTC")
	if vm.CPUTime > 0 {
		out = add(out, "used", fmt.Sprintf("%s of processor time since its start", seconds(time.Duration(vm.CPUTime))))
	}
	agent := "does not answer"
	if vm.Agent {
		agent = "answers"
	}
	out = add(out, "guest agent", agent)
	out = add(out, "owner", vm.Owner)
	out = add(out, "id", vm.ID)
	return out[:min(len(out), h)]
}

func accelName(a string) string {
	switch a {
	case "kvm":
		return "KVM"
	case "tcg":
		return "TCG (emulated)"
	}
	return a
}

// itemBody describes anything found.
func (m *Model) itemBody(it *api.Item, w, h int) []string {
	var out []string
	add := func(name, value string) { out = append(out, m.label(name)+cut(clean(value), max(1, w-12))) }
	now := m.opt.Now()
	switch {
	case it.VM != nil:
		return m.vmBody(it.VM, w, h)
	case it.Job != nil:
		return m.jobBody(&follow{job: *it.Job}, w, h)
	case it.Spacesuit != nil:
		s := it.Spacesuit
		out = append(out, m.theme.name.Render(clean(s.Name))+m.theme.dim.Render("  spacesuit on ")+clean(s.Satellite))
		add("disk", size(s.Size)+" for a VM, takes "+size(s.Allocated)+" here")
		add("made", age(now, s.Created)+" ago")
		add("to use it", "create NAME from:"+word(s.Name))
	case it.Node != nil:
		n := it.Node
		if n.State == api.SatelliteStranger {
			out = append(out, m.theme.name.Render(clean(n.Name))+m.theme.busy.Render("  ? stranger")+m.theme.dim.Render(" on ")+clean(n.Address))
			add("is", "a machine on a cable that nobody admitted; nothing is forwarded for it")
			add("to admit it", "admit SHA256:…, which decenter engine --fingerprint tells there")
			break
		}
		state, style := m.theme.state(string(n.State))
		out = append(out, m.theme.name.Render(clean(n.Name))+"  "+style.Render(state)+m.theme.dim.Render("  satellite"))
		used := n.Memory - min(n.MemoryFree, n.Memory)
		add("address", n.Address)
		add("VMs", fmt.Sprintf("%d running of %d", n.Running, n.VMs))
		add("load", fmt.Sprintf("%s %.2f of %d processors, %s", bar(n.Load, float64(n.CPUs), 10), n.Load, n.CPUs, accelName(n.Accel)))
		add("memory", fmt.Sprintf("%s %s of %s", bar(float64(used), float64(n.Memory), 10), size(used), size(n.Memory)))
		add("up", span(time.Duration(n.Uptime)*time.Second)+", version "+n.Version)
		add("key", n.ID)
	}
	return out[:min(len(out), h)]
}

// itemPage is a thing found that has no page of its own.
type itemPage struct {
	pageBase
	item api.Item
}

func (p *itemPage) command() string { return string(p.item.Kind) + " name:" + word(p.item.Name) }
func (p *itemPage) draw(m *Model, w, h int) []string {
	return m.itemBody(&p.item, w, h)
}

// openItem opens the page of something found.
func (m *Model) openItem(it *api.Item) tea.Cmd {
	switch {
	case it.VM != nil:
		p := &vmPage{ref: it.VM.ID, name: it.VM.Name, vm: *it.VM}
		p.ready = true
		return m.open(p)
	case it.Job != nil:
		return m.open(&watchPage{id: it.Job.ID})
	}
	return m.open(&itemPage{item: *it})
}
