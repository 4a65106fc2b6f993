package main

import (
	"reflect"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// clusterCalls answers the settings of HA, DRS and DPM. The simulator's own version keeps only four of them, so a
// restore could not be proved with it.
type clusterCalls struct {
	*simulator.ClusterComputeResource
	face *Face
}

func (c *clusterCalls) ReconfigureComputeResourceTask(ctx *simulator.Context, r *types.ReconfigureComputeResource_Task) soap.HasFault {
	body := new(methods.ReconfigureComputeResource_TaskBody)
	spec, ok := r.Spec.(*types.ClusterConfigSpecEx)
	if !ok {
		body.Fault_ = simulator.Fault("", &types.InvalidArgument{InvalidProperty: "spec"})
		return body
	}
	cluster, modify := c.ClusterComputeResource, r.Modify
	body.Res = &types.ReconfigureComputeResource_TaskResponse{Returnval: c.face.startTask(cluster, "reconfigure",
		"ReconfigureComputeResource_Task", func(j *Job) types.BaseMethodFault {
			j.ctx.WithLock(cluster, func() { reconfigure(j, cluster, spec, modify) })
			return nil
		})}
	return body
}

// reconfigure merges spec into the cluster's settings (modify) or replaces them by it. The object is locked.
func reconfigure(j *Job, cluster *simulator.ClusterComputeResource, spec *types.ClusterConfigSpecEx, modify bool) {
	config := *cluster.ConfigurationEx.(*types.ClusterConfigInfoEx)
	if !modify {
		fresh := defaultClusterConfig(false)
		config.DasConfig, config.DrsConfig, config.DpmConfigInfo = fresh.DasConfig, fresh.DrsConfig, fresh.DpmConfigInfo
	}
	if spec.DasConfig != nil {
		merge(&config.DasConfig, spec.DasConfig)
	}
	if spec.DrsConfig != nil {
		merge(&config.DrsConfig, spec.DrsConfig)
	}
	for _, change := range spec.DrsVmConfigSpec {
		if change.Operation == types.ArrayUpdateOperationAdd && change.Info != nil {
			config.DrsVmConfig = append(config.DrsVmConfig, *change.Info)
		}
	}
	if spec.DpmConfig != nil {
		dpm := types.ClusterDpmConfigInfo{}
		if config.DpmConfigInfo != nil {
			dpm = *config.DpmConfigInfo
		}
		merge(&dpm, spec.DpmConfig)
		config.DpmConfigInfo = &dpm
	}
	if spec.SystemVMsConfig != nil && j.face.site.options.VclsMode == "system" {
		info := types.ClusterSystemVMsConfigInfo{}
		if config.SystemVMsConfig != nil {
			info = *config.SystemVMsConfig
		}
		if spec.SystemVMsConfig.DeploymentMode != "" {
			info.DeploymentMode = spec.SystemVMsConfig.DeploymentMode
		}
		config.SystemVMsConfig = &info
	}
	old := cluster.Configuration
	old.DasConfig, old.DrsConfig = config.DasConfig, config.DrsConfig
	j.ctx.Update(cluster, []types.PropertyChange{
		{Name: "configurationEx", Val: &config},
		{Name: "configuration", Val: old},
	})
	j.face.site.plant.noteCluster(cluster.Name, &config)
}

// merge copies what src sets into dst, both pointers to the same type of struct: the API's meaning of modify=true.
func merge(dst, src any) {
	d, s := reflect.ValueOf(dst).Elem(), reflect.ValueOf(src).Elem()
	for i := range s.NumField() {
		if f := s.Field(i); !f.IsZero() {
			d.Field(i).Set(f)
		}
	}
}

// defaultClusterConfig is a cluster with HA, admission control and automatic DRS on (protected) or all of it off.
func defaultClusterConfig(protected bool) *types.ClusterConfigInfoEx {
	yes := func(b bool) *bool { return &b }
	config := &types.ClusterConfigInfoEx{
		DasConfig: types.ClusterDasConfigInfo{
			Enabled: yes(protected), HostMonitoring: string(types.ClusterDasConfigInfoServiceStateEnabled),
			VmMonitoring:            string(types.ClusterDasConfigInfoVmMonitoringStateVmMonitoringDisabled),
			AdmissionControlEnabled: yes(protected), FailoverLevel: 1,
			AdmissionControlPolicy: &types.ClusterFailoverLevelAdmissionControlPolicy{FailoverLevel: 1},
		},
		DrsConfig: types.ClusterDrsConfigInfo{
			Enabled: yes(protected), DefaultVmBehavior: types.DrsBehaviorFullyAutomated,
			EnableVmBehaviorOverrides: yes(true), VmotionRate: 3,
		},
		DpmConfigInfo: &types.ClusterDpmConfigInfo{
			Enabled: yes(protected), DefaultDpmBehavior: types.DpmBehaviorManual, HostPowerActionRate: 3,
		},
	}
	config.VmSwapPlacement = string(types.VirtualMachineConfigInfoSwapPlacementTypeVmDirectory)
	return config
}

// noteCluster keeps for the control face what is set now.
func (p *Plant) noteCluster(name string, config *types.ClusterConfigInfoEx) {
	is := func(b *bool) bool { return b != nil && *b }
	settings := &ClusterSettings{
		HAEnabled: is(config.DasConfig.Enabled), HostMonitoring: config.DasConfig.HostMonitoring,
		AdmissionControl: is(config.DasConfig.AdmissionControlEnabled),
		DRSEnabled:       is(config.DrsConfig.Enabled), DRSBehavior: string(config.DrsConfig.DefaultVmBehavior),
		DRSBehaviorOverride: is(config.DrsConfig.EnableVmBehaviorOverrides),
		DPMEnabled:          config.DpmConfigInfo != nil && is(config.DpmConfigInfo.Enabled),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.clusters[name] != nil {
		p.journal.add(Entry{What: "cluster.reconfigured", Object: name, Settings: settings})
	}
	p.clusters[name] = settings
	if mode := config.SystemVMsConfig; name == p.cluster && mode != nil {
		p.setRetreat(mode.DeploymentMode == string(types.ClusterSystemVMsConfigInfoDeploymentModeABSENT))
	}
}

// eventCalls adds the call with which a client writes its own line into vCenter's event log.
type eventCalls struct {
	*simulator.EventManager
	face *Face
}

func (c *eventCalls) LogUserEvent(ctx *simulator.Context, r *types.LogUserEvent) soap.HasFault {
	name := c.face.objectName(r.Entity)
	event := &types.GeneralUserEvent{
		GeneralEvent: types.GeneralEvent{Event: types.Event{CreatedTime: time.Now(), FullFormattedMessage: r.Msg}, Message: r.Msg},
		Entity:       &types.ManagedEntityEventArgument{EntityEventArgument: types.EntityEventArgument{Name: name}, Entity: r.Entity},
	}
	c.face.site.plant.journal.add(Entry{What: "event", Object: name, Face: c.face.name, Detail: r.Msg, User: ctx.Session.UserName})
	c.PostEvent(ctx, &types.PostEvent{This: c.Self, EventToPost: event})
	return &methods.LogUserEventBody{Res: new(types.LogUserEventResponse)}
}
