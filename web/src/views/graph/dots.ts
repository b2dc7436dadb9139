// SPDX-License-Identifier: Apache-2.0
// The WebGL program of the dots: sizes are lengths of the graph, kept between a least and a most on the screen; what is
// not lit is faded by one uniform, so that a selection among 100,000 touches only what it lights.
import { NodeProgram, type ProgramInfo } from "sigma/rendering";
import type { NodeDisplayData, RenderParams } from "sigma/types";
import { floatColor } from "sigma/utils";

/** How the dots are drawn now; one object a stage, read at each frame. */
export interface DotLook {
  least: number; // px, radius
  most: number;
  fade: number; // 0: as they are, 1: those not lit are gone into the ground
  ground: [number, number, number];
  rim: [number, number, number, number]; // so that no colour is lost on the ground
  drawn: boolean; // false: closed clusters cover all of them
  unit: number; // lengths of the graph in one of the frame (sigma's 0 to 1)
}

export const LEAST = { many: 0.9, few: 4 }; // px, radius

export const newDotLook = (): DotLook => ({
  least: LEAST.many,
  most: 20,
  fade: 0,
  ground: [1, 1, 1],
  rim: [0, 0, 0, 0.3],
  drawn: true,
  unit: 1,
});

const VERTEX = /* glsl */ `
attribute vec4 a_color;
attribute vec2 a_position;
attribute float a_size;
attribute float a_lit;
uniform mat3 u_matrix;
uniform float u_scale;
uniform float u_pixelRatio;
uniform float u_least;
uniform float u_most;
uniform float u_fade;
uniform vec3 u_ground;
varying vec4 v_color;
varying float v_edge;
varying float v_rim;
void main() {
  gl_Position = vec4((u_matrix * vec3(a_position, 1)).xy, 0, 1);
  float r = clamp(a_size * u_scale, u_least, u_most) * u_pixelRatio;
  if (a_size <= 0.0) r = 0.0;
  gl_PointSize = 2.0 * r + 1.0;
  v_edge = 1.0 / (r + 0.5);
  float far = (1.0 - a_lit) * u_fade;
  v_rim = clamp((r / u_pixelRatio - 2.0) / 2.0, 0.0, 1.0) * (1.0 - far);
  v_color = vec4(mix(a_color.rgb, u_ground, far), 1.0);
  if (r == 0.0) gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
}`;

const FRAGMENT = /* glsl */ `
precision mediump float;
uniform vec4 u_rim;
varying vec4 v_color;
varying float v_edge;
varying float v_rim;
void main() {
  float d = length(gl_PointCoord - vec2(0.5)) * 2.0;
  float a = 1.0 - smoothstep(1.0 - 2.0 * v_edge, 1.0, d);
  float ring = smoothstep(1.0 - 3.2 * v_edge, 1.0 - 2.2 * v_edge, d) * u_rim.a * v_rim;
  gl_FragColor = vec4(mix(v_color.rgb, u_rim.rgb, ring), 1.0) * a;
}`;

const { UNSIGNED_BYTE, FLOAT, POINTS } = WebGLRenderingContext;
const UNIFORMS = ["u_matrix", "u_scale", "u_pixelRatio", "u_least", "u_most", "u_fade", "u_ground", "u_rim"] as const;

/** A program class bound to a stage's look. */
export function dotProgram(look: DotLook) {
  return class DotProgram extends NodeProgram<(typeof UNIFORMS)[number]> {
    getDefinition() {
      return {
        VERTICES: 1,
        VERTEX_SHADER_SOURCE: VERTEX,
        FRAGMENT_SHADER_SOURCE: FRAGMENT,
        METHOD: POINTS,
        UNIFORMS,
        ATTRIBUTES: [
          { name: "a_position", size: 2, type: FLOAT },
          { name: "a_size", size: 1, type: FLOAT },
          { name: "a_lit", size: 1, type: FLOAT },
          { name: "a_color", size: 4, type: UNSIGNED_BYTE, normalized: true },
        ],
      };
    }

    processVisibleItem(_: number, at: number, data: NodeDisplayData & { lit?: boolean }): void {
      const a = this.array;
      a[at] = data.x;
      a[at + 1] = data.y;
      a[at + 2] = data.size;
      a[at + 3] = data.lit ? 1 : 0;
      a[at + 4] = floatColor(data.color);
    }

    setUniforms(params: RenderParams, { gl, uniformLocations: u }: ProgramInfo): void {
      const m = params.matrix;
      gl.uniformMatrix3fv(u.u_matrix!, false, m);
      // Pixels of one unit of the graph: the matrix goes from the frame to -1..1.
      gl.uniform1f(u.u_scale!, (Math.hypot(m[0]!, m[3]!) * params.width) / 2 / look.unit);
      gl.uniform1f(u.u_pixelRatio!, params.pixelRatio);
      gl.uniform1f(u.u_least!, look.least);
      gl.uniform1f(u.u_most!, look.most);
      gl.uniform1f(u.u_fade!, look.fade);
      gl.uniform3fv(u.u_ground!, look.ground);
      gl.uniform4fv(u.u_rim!, look.rim);
    }

    /** Without the second pass for picking: the page finds what is under the pointer itself. */
    render(params: RenderParams): void {
      if (!look.drawn || this.hasNothingToRender()) return;
      const p = this.normalProgram;
      p.gl.viewport(0, 0, params.width * params.pixelRatio, params.height * params.pixelRatio);
      this.bindProgram(p);
      this.renderProgram(params, p);
      this.unbindProgram(p);
    }
  };
}
