package main

import (
	"context"

	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"
)

// methodsShutdownHost is a call that govmomi's object package has no word for.
func methodsShutdownHost(ctx context.Context, c *vim25.Client, host types.ManagedObjectReference, force bool) (*types.ManagedObjectReference, error) {
	res, err := methods.ShutdownHost_Task(ctx, c, &types.ShutdownHost_Task{This: host, Force: force})
	if err != nil {
		return nil, err
	}
	return &res.Returnval, nil
}
