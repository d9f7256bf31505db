package apitest

import (
	"context"

	"decenter/engine/api"
)

var errNotYet = api.Errorf(api.CodeFailed, "not yet")

// Trust implements api.Service.
func (view) Trust(context.Context) (api.TrustReply, error) { return api.TrustReply{}, errNotYet }

// Propose implements api.Service.
func (view) Propose(context.Context, api.ProposeRequest) (api.Proposal, error) {
	return api.Proposal{}, errNotYet
}

// Declare implements api.Service.
func (view) Declare(context.Context, api.Signed) (api.Statement, error) {
	return api.Statement{}, errNotYet
}

// Audit implements api.Service.
func (view) Audit(context.Context, api.AuditRequest) (api.AuditReply, error) {
	return api.AuditReply{}, errNotYet
}
