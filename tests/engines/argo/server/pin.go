// Package pin keeps the requirements of Argo's command in go.mod: that is where its server is.
package pin

import _ "github.com/argoproj/argo-workflows/v4/cmd/argo/commands"
