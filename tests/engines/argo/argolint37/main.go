// Command argolint37 checks Argo manifests as `argo lint --offline --strict` does, and then as a
// submission is checked.
//
// It exists because the argo command itself can't be built from its Go module: the server it holds
// embeds a web interface that the module doesn't carry. The decoder and the checks called here are
// that command's own.
//
// It is argolint for Argo 3.7, whose functions take other arguments.
//
// Usage: argolint37 FILE...  Each problem is one line, `file: kind/name: mode: message`, where mode is
// `decode` (strict reading), `lint`, or `submit` (what only a submission refuses: arguments without a
// value). Exit status: 0 no problem, 1 problems, 2 wrong usage.
//
// argolint37 -next CRON ZONE AFTER COUNT prints the times at which the cron of Argo's controller, the
// same in 3.7 and 4.0, starts Workflows: a line each.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/sirupsen/logrus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argoproj/argo-workflows/v3/pkg/apis/workflow"
	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"github.com/argoproj/argo-workflows/v3/workflow/common"
	"github.com/argoproj/argo-workflows/v3/workflow/validate"
)

// manifest is one Argo object of a file, or the reason why it couldn't be read as one.
type manifest struct {
	file   string
	number int // from 1, in its file
	object metav1.Object
	err    error
}

// templates finds the workflow templates of a namespace by name.
type templates map[string]*wfv1.WorkflowTemplate

func (t templates) Get(name string) (*wfv1.WorkflowTemplate, error) {
	if found, ok := t[name]; ok {
		return found, nil
	}
	return nil, fmt.Errorf("couldn't find workflow template %q in the files given", name)
}

// clusterTemplates finds the cluster workflow templates by name.
type clusterTemplates map[string]*wfv1.ClusterWorkflowTemplate

func (t clusterTemplates) Get(name string) (*wfv1.ClusterWorkflowTemplate, error) {
	if found, ok := t[name]; ok {
		return found, nil
	}
	return nil, fmt.Errorf("couldn't find cluster workflow template %q in the files given", name)
}

// checker holds what objects may refer to: the templates of all files, by namespace.
type checker struct {
	namespaces map[string]templates
	cluster    clusterTemplates
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: argolint37 FILE...")
		os.Exit(2)
	}
	if os.Args[1] == "-next" && len(os.Args) == 6 {
		if err := printNext(os.Args[2], os.Args[3], os.Args[4], os.Args[5]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		return
	}
	var manifests []manifest
	for _, file := range os.Args[1:] {
		manifests = append(manifests, read(file)...)
	}
	check := newChecker(manifests)
	problems := 0
	for _, m := range manifests {
		for _, line := range check.problems(m) {
			fmt.Println(line)
			problems++
		}
	}
	if problems > 0 {
		os.Exit(1)
	}
}

// printNext prints the times of a schedule after a moment, found as the controller finds them.
func printNext(expression, zone, after, count string) error {
	spec := wfv1.CronWorkflowSpec{Schedules: []string{expression}, Timezone: zone}
	schedule, err := cron.ParseStandard(spec.GetSchedulesWithTimezone(context.Background())[0])
	if err != nil {
		return err
	}
	moment, err := time.Parse(time.RFC3339, after)
	if err != nil {
		return err
	}
	wanted, err := strconv.Atoi(count)
	for ; err == nil && wanted > 0; wanted-- {
		moment = schedule.Next(moment)
		fmt.Println(moment.Format(time.RFC3339))
	}
	return err
}

// read decodes the Argo objects of a file strictly: unknown and repeated keys are errors.
// A file that holds none is an error too, as in `argo lint`.
func read(file string) []manifest {
	data, err := os.ReadFile(file)
	if err != nil {
		return []manifest{{file: file, err: err}}
	}
	var log bytes.Buffer
	logrus.SetOutput(&log) // a document that isn't YAML is only logged
	var found []manifest
	for i, result := range common.ParseObjects(data, true) {
		if _, foreign := result.Object.(*metav1.ObjectMeta); foreign {
			continue // of another API; read as bare metadata, so that all else in it is "unknown"
		}
		found = append(found, manifest{file, i + 1, result.Object, result.Err})
	}
	if log.Len() > 0 {
		found = append(found, manifest{file: file, err: fmt.Errorf("%s", logged(log.String()))})
	}
	if len(found) == 0 {
		found = append(found, manifest{file: file, err: fmt.Errorf("no Argo object in this file")})
	}
	return found
}

// logged is what a line of the log tells: the error in it, or else the whole line.
func logged(line string) string {
	if _, message, found := strings.Cut(strings.TrimSpace(line), " error="); found {
		return strings.Trim(message, `"`)
	}
	return line
}

func newChecker(manifests []manifest) checker {
	check := checker{map[string]templates{}, clusterTemplates{}}
	for _, m := range manifests {
		switch object := m.object.(type) {
		case *wfv1.WorkflowTemplate:
			if check.namespaces[object.Namespace] == nil {
				check.namespaces[object.Namespace] = templates{}
			}
			check.namespaces[object.Namespace][object.Name] = object
		case *wfv1.ClusterWorkflowTemplate:
			check.cluster[object.Name] = object
		}
	}
	return check
}

// problems lists what is wrong with one manifest, a line each.
func (c checker) problems(m manifest) []string {
	if m.err != nil {
		return []string{line(m, "decode", m.err)}
	}
	var lines []string
	lint := c.validate(m.object, validate.ValidateOpts{Lint: true})
	if lint != nil {
		lines = append(lines, line(m, "lint", lint))
	}
	// Only a workflow is submitted; a template that needs arguments is complete without their values.
	_, submitted := m.object.(*wfv1.Workflow)
	submit := c.validate(m.object, validate.ValidateOpts{Submit: submitted})
	if submit != nil && (lint == nil || submit.Error() != lint.Error()) {
		lines = append(lines, line(m, "submit", submit))
	}
	return lines
}

// validate runs Argo's check of an object. The checks take the object as their own, so each gets a copy.
func (c checker) validate(object metav1.Object, opts validate.ValidateOpts) error {
	logrus.SetOutput(io.Discard)
	local := c.namespaces[object.GetNamespace()]
	switch o := object.(type) {
	case *wfv1.Workflow:
		return validate.ValidateWorkflow(local, c.cluster, o.DeepCopy(), nil, opts)
	case *wfv1.WorkflowTemplate:
		return validate.ValidateWorkflowTemplate(local, c.cluster, o.DeepCopy(), nil, opts)
	case *wfv1.ClusterWorkflowTemplate:
		return validate.ValidateClusterWorkflowTemplate(local, c.cluster, o.DeepCopy(), nil, opts)
	case *wfv1.CronWorkflow:
		return validate.ValidateCronWorkflow(context.Background(), local, c.cluster, o.DeepCopy(), nil)
	}
	return nil // event bindings and task sets: strict decoding is all that argo does with them
}

func line(m manifest, mode string, err error) string {
	message := strings.Join(strings.Fields(err.Error()), " ")
	return fmt.Sprintf("%s: %s: %s: %s", m.file, title(m), mode, message)
}

// title is `kind/name`; `-` where nothing could be read.
func title(m manifest) string {
	if m.object == nil {
		return "-"
	}
	name := m.object.GetName()
	if name == "" {
		name = m.object.GetGenerateName()
	}
	if name == "" {
		name = fmt.Sprintf("#%d", m.number)
	}
	return kind(m.object) + "/" + name
}

// kind is the Kubernetes kind of an Argo object, empty for an object of another API.
func kind(object metav1.Object) string {
	switch object.(type) {
	case *wfv1.Workflow:
		return workflow.WorkflowKind
	case *wfv1.WorkflowTemplate:
		return workflow.WorkflowTemplateKind
	case *wfv1.ClusterWorkflowTemplate:
		return workflow.ClusterWorkflowTemplateKind
	case *wfv1.CronWorkflow:
		return workflow.CronWorkflowKind
	case *wfv1.WorkflowEventBinding:
		return workflow.WorkflowEventBindingKind
	case *wfv1.WorkflowTaskSet:
		return workflow.WorkflowTaskSetKind
	}
	return ""
}
