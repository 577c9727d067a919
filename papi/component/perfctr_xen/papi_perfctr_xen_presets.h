/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For the components_config.h that PAPI's configure (from 7.2 on) writes: this
 * component's presets are the CPU's, PAPI_TOT_INS and the like.
 */
#define PAPI_MAX_perfctr_xen_PRESETS PAPI_MAX_PRESET_EVENTS
#define _perfctr_xen_presets         _papi_hwi_presets
