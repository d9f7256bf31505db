package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"

	"decenter/engine/jobs"
	"decenter/virt"
)

var errRestarted = errors.New("the engine was restarted in the middle of it")

// recover ends the jobs that an earlier engine was killed in, then removes what no VM refers to. Until it has
// succeeded no VM may be changed. It may be called again after any failure.
func (e *Engine) recover(ctx context.Context) error {
	guests, err := e.cfg.Guests.List(ctx)
	if err != nil {
		return fmt.Errorf("list guests: %w", err)
	}
	there := map[virt.ID]virt.Guest{}
	for _, g := range guests {
		there[g.ID] = g
	}
	left, err := e.cfg.Journal.Running()
	if err != nil {
		return err
	}
	for _, r := range left {
		end, err := e.recoverJob(ctx, r, there)
		if err != nil {
			return fmt.Errorf("recover %s %s: %w", r.Job.Verb, r.Job.Object, err)
		}
		e.jobs.Finish(r.Job, end)
	}
	return e.sweep(ctx)
}

// recoverJob finishes or undoes one job. end is how the job ended; err is why that could not be done now.
func (e *Engine) recoverJob(ctx context.Context, r jobs.Record, there map[virt.ID]virt.Guest) (end, err error) {
	switch r.Job.Verb {
	case "create":
		var plan createPlan
		if err := json.Unmarshal(r.Plan, &plan); err != nil {
			return fmt.Errorf("%w, and its plan cannot be read: %w", errRestarted, err), nil
		}
		id, err := virt.ParseID(plan.VM)
		if err != nil {
			return err, nil
		}
		g, defined := there[id]
		if !defined {
			mac, _ := net.ParseMAC(plan.MAC)
			return fmt.Errorf("%w; nothing of it is left", errRestarted), e.erase(ctx, id, []net.HardwareAddr{mac})
		}
		if plan.Stopped || g.State != virt.Stopped {
			return nil, nil
		}
		for _, mac := range macsOf(g.NICs) {
			if _, err := e.cfg.Fabric.Attach(ctx, mac); err != nil {
				return nil, err
			}
		}
		if err := e.cfg.Guests.Start(ctx, id); err != nil {
			return fmt.Errorf("%w; the VM is whole but did not start: %w", errRestarted, err), nil
		}
		return nil, nil
	case "delete":
		var plan deletePlan
		if err := json.Unmarshal(r.Plan, &plan); err != nil {
			return fmt.Errorf("%w, and its plan cannot be read: %w", errRestarted, err), nil
		}
		id, err := virt.ParseID(plan.VM)
		if err != nil {
			return err, nil
		}
		var macs []net.HardwareAddr
		for _, s := range plan.MACs {
			if mac, err := net.ParseMAC(s); err == nil {
				macs = append(macs, mac)
			}
		}
		return nil, e.erase(ctx, id, macs)
	}
	return errRestarted, nil
}

// sweep removes disks and taps without a VM, and makes the taps that VMs miss.
func (e *Engine) sweep(ctx context.Context) error {
	guests, err := e.cfg.Guests.List(ctx)
	if err != nil {
		return fmt.Errorf("list guests: %w", err)
	}
	live := map[virt.ID]bool{}
	var macs []net.HardwareAddr
	for _, g := range guests {
		live[g.ID] = true
		macs = append(macs, macsOf(g.NICs)...)
	}
	gone, err := e.cfg.Volumes.Sweep(ctx, func(id virt.ID) bool { return live[id] })
	if err != nil {
		return fmt.Errorf("sweep the disks: %w", err)
	}
	for _, id := range gone {
		e.cfg.Log.Warn("disks without a VM were removed", "vm", id)
	}
	if err := e.cfg.Fabric.Keep(ctx, macs); err != nil {
		return fmt.Errorf("sweep the taps: %w", err)
	}
	return nil
}
