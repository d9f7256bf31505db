package engine

import (
	"context"

	"decenter/engine/api"
)

var errNotYet = api.Errorf(api.CodeFailed, "not yet")

// Trust implements api.Service.
func (local) Trust(context.Context) (api.TrustReply, error) { return api.TrustReply{}, errNotYet }

// Propose implements api.Service.
func (local) Propose(context.Context, api.ProposeRequest) (api.Proposal, error) {
	return api.Proposal{}, errNotYet
}

// Declare implements api.Service.
func (local) Declare(context.Context, api.Signed) (api.Statement, error) {
	return api.Statement{}, errNotYet
}

// Audit implements api.Service.
func (local) Audit(context.Context, api.AuditRequest) (api.AuditReply, error) {
	return api.AuditReply{}, errNotYet
}

// Trust implements api.Service.
func (constellation) Trust(context.Context) (api.TrustReply, error) { return api.TrustReply{}, errNotYet }

// Propose implements api.Service.
func (constellation) Propose(context.Context, api.ProposeRequest) (api.Proposal, error) {
	return api.Proposal{}, errNotYet
}

// Declare implements api.Service.
func (constellation) Declare(context.Context, api.Signed) (api.Statement, error) {
	return api.Statement{}, errNotYet
}

// Audit implements api.Service.
func (constellation) Audit(context.Context, api.AuditRequest) (api.AuditReply, error) {
	return api.AuditReply{}, errNotYet
}
