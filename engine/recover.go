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

// recover ends the jobs that an earlier engine was killed in, and removes what is left of failed ones. Until it has
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
		if r.Job.State.Over() {
			if err := e.clear(ctx, r, there); err != nil {
				return fmt.Errorf("remove what %s %s left: %w", r.Job.Verb, r.Job.Object, err)
			}
			continue
		}
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
			mac, err := net.ParseMAC(plan.MAC)
			if err != nil {
				return fmt.Errorf("%w, and its plan cannot be read: %w", errRestarted, err), nil
			}
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

// clear removes what a failed job left of a VM. One that is defined is whole, and its owner was told of the failure: it stays.
func (e *Engine) clear(ctx context.Context, r jobs.Record, there map[virt.ID]virt.Guest) error {
	var plan struct { // a createPlan or a deletePlan
		VM   string   `json:"vm"`
		MAC  string   `json:"mac"`
		MACs []string `json:"macs"`
	}
	if err := json.Unmarshal(r.Plan, &plan); err != nil {
		e.cfg.Log.Error("the plan of a failed job cannot be read", "job", r.Job.ID, "err", err)
		return e.cfg.Journal.Forget(r.Job.ID)
	}
	id, err := virt.ParseID(plan.VM)
	if _, defined := there[id]; err == nil && !defined {
		var macs []net.HardwareAddr
		for _, s := range append(plan.MACs, plan.MAC) {
			if mac, err := net.ParseMAC(s); err == nil {
				macs = append(macs, mac)
			}
		}
		if err := e.erase(ctx, id, macs); err != nil {
			return err
		}
	}
	return e.cfg.Journal.Forget(r.Job.ID)
}

// sweep removes what half-done work left in the store and taps without a VM, and makes the taps that VMs miss. Disks
// without a VM stay: all that this engine ever left is in the journal, so these belong to VMs whose definitions were lost, or
// are another hypervisor's than the one that is configured now. They may be all that their owner has.
func (e *Engine) sweep(ctx context.Context) error {
	guests, err := e.cfg.Guests.List(ctx)
	if err != nil {
		return fmt.Errorf("list guests: %w", err)
	}
	defined := map[virt.ID]bool{}
	var macs []net.HardwareAddr
	for _, g := range guests {
		defined[g.ID] = true
		macs = append(macs, macsOf(g.NICs)...)
	}
	_, err = e.cfg.Volumes.Sweep(ctx, func(id virt.ID) bool {
		if !defined[id] {
			e.cfg.Log.Warn("there are disks without a VM; they are left alone", "vm", id)
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("sweep the disks: %w", err)
	}
	if err := e.cfg.Fabric.Keep(ctx, macs); err != nil {
		return fmt.Errorf("sweep the taps: %w", err)
	}
	return nil
}
