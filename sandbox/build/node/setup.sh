#!/bin/bash
# Runs in the node's root file system: what kind's Dockerfile for its base image does (images/base in its module).
set -eu

find /lib/systemd/system/sysinit.target.wants/ -name systemd-tmpfiles-setup.service -delete
rm -f /lib/systemd/system/multi-user.target.wants/* /etc/systemd/system/*.wants/* \
  /lib/systemd/system/local-fs.target.wants/* /lib/systemd/system/sockets.target.wants/*udev* \
  /lib/systemd/system/sockets.target.wants/*initctl* /lib/systemd/system/basic.target.wants/*
echo ReadKMsg=no >>/etc/systemd/journald.conf
ln -sf /usr/lib/systemd/systemd /sbin/init
# Debian's own unit lies in /lib: kind's, in /etc, goes before it and wants the programs under /usr/local/bin.
for program in containerd ctr containerd-shim-runc-v2; do ln -sf "/usr/bin/$program" /usr/local/bin/; done
systemctl enable kubelet.service containerd.service undo-mount-hacks.service
systemctl mask systemd-binfmt.service
mkdir -p /etc/kubernetes/manifests /opt/cni/bin
cp /usr/lib/cni/{bridge,host-local,loopback,portmap,ptp} /opt/cni/bin/

ctr oci spec |
  jq '.hooks.createContainer[.hooks.createContainer | length] |= . + {"path": "/kind/bin/mount-product-files.sh"} | del(.process.rlimits)' \
    >/etc/containerd/cri-base.json
cat >>/etc/containerd/config.toml <<'TOML'
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "/etc/containerd/certs.d"
TOML
if [ -x /usr/local/sbin/runc-without-resource ]; then
  sed -i -e 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' \
    -e 's|^\( *\)SystemdCgroup = true|&\n\1BinaryName = "/usr/local/sbin/runc-without-resource"|' \
    /etc/containerd/config.toml
fi
