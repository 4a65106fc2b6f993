package main

import (
	"fmt"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// Job is the running part of a task.
type Job struct {
	face *Face
	ctx  *simulator.Context
	task *simulator.Task
}

// startTask makes a real Task object and runs work beside it. The simulator's own way to run a task keeps the
// object's lock for as long as the task runs; a task that waits for VMs would then keep everybody, the push included,
// from the object. The caller holds the object's lock (the simulator's dispatcher took it).
func (f *Face) startTask(object mo.Entity, id, method string, work func(*Job) types.BaseMethodFault) types.ManagedObjectReference {
	return f.startTaskFor(object, id, method, func(j *Job) (types.AnyType, types.BaseMethodFault) { return nil, work(j) })
}

// startTaskFor is startTask for work with a result.
func (f *Face) startTaskFor(object mo.Entity, id, method string, work func(*Job) (types.AnyType, types.BaseMethodFault)) types.ManagedObjectReference {
	name := f.objectName(object.Reference())
	task := simulator.CreateTask(object, id, nil)
	n := f.tasks.Add(1)
	task.Self = types.ManagedObjectReference{Type: "Task", Value: fmt.Sprintf("task-%d", 1000000+n)}
	if f.host != nil {
		task.Self.Value = fmt.Sprintf("haTask-%s-vim.%s-%d", object.Reference().Value, task.Info.DescriptionId, n)
	}
	now := time.Now()
	task.Info.Key, task.Info.Task = task.Self.Value, task.Self
	task.Info.Name, task.Info.EntityName = method, name
	task.Info.State, task.Info.StartTime = types.TaskInfoStateRunning, &now
	task.Info.Cancelable = method == "EnterMaintenanceMode_Task"
	f.model.Map().Put(task)

	job := &Job{face: f, ctx: f.newContext(), task: task}
	rule := f.site.faults.take(f.name, method, name, kindTask)
	go func() {
		var result types.AnyType
		var fault types.BaseMethodFault
		if rule != nil {
			fault = rule.fault()
		} else {
			result, fault = work(job)
		}
		f.site.plant.flush() // who sees the task done must see what it did
		job.finish(result, fault)
	}()
	return task.Self
}

// cancelled tells whether a client cancelled the task; the simulator has then already written its end.
func (j *Job) cancelled() bool {
	var is bool
	j.ctx.WithLock(j.task, func() { is = j.task.Info.Cancelled })
	return is
}

func (j *Job) finish(result types.AnyType, fault types.BaseMethodFault) {
	j.ctx.WithLock(j.task, func() {
		if j.task.Info.State != types.TaskInfoStateRunning {
			return
		}
		changes := []types.PropertyChange{
			{Name: "info.completeTime", Val: time.Now()},
			{Name: "info.state", Val: types.TaskInfoStateSuccess},
			{Name: "info.result", Val: result},
		}
		if fault != nil {
			changes[1].Val = types.TaskInfoStateError
			changes[2] = types.PropertyChange{Name: "info.error", Val: types.LocalizedMethodFault{
				Fault: fault, LocalizedMessage: fmt.Sprintf("%T", fault),
			}}
		}
		j.ctx.Update(j.task, changes)
	})
}
